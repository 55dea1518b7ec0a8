"""The one process that holds descriptors: it reads maps, drains ring buffers, keeps the census, measures cost, serves
frames.
"""
