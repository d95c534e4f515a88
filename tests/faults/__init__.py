"""What a run comes to when processes are killed, requests fail and images are poison."""
