"""Multiple instance learning over bags, a folder an architecture; `encoders` turn instances into vectors."""
