"""The paper's evaluation: its test sets, its figures, and the layout of its Tables 2 and 3."""
