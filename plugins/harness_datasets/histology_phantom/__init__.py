"""`histology_phantom`: synthetic stained tissue with or without a nest of atypical nuclei."""
