class Unstorable(Exception):
    """A value that its column can't hold exactly. The message says what is wrong with it, in words
    that can follow its column's name, and never has the whole value in it."""
