"""Real servers for the tests, each started on loopback as a child process and ended by its pid."""
