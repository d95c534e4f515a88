"""One script a job: settings in, exit status out."""
