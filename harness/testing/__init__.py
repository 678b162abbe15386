"""The laws that every component, tuner and store must keep; a plugin's test file subclasses them."""
