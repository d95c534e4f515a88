"""What an evaluation varies: images made otherwise, fewer training images, other banks."""
