"""What a run will take: a sample of its images, each stage measured on it, and the plan's file."""
