"""An image's name → its bytes, from whatever storage; what went wrong is its own result."""
