"""One crawl with everything in it, laid out on disk and on S3, and what its run must come to."""
