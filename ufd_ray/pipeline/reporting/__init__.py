"""What a page needs of a finished job: counts, images to look at, their thumbnails, the run before.

Everything in it comes from one pass over the rows, in memory that does not grow with their number.
"""
