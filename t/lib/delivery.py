"""What tests of local deliveries have in common."""
import os


def text_of(path):
    try:
        with open(path) as f:
            return f.read()
    except OSError:
        return ""


def go(s, on):
    """Commands of aliases that look for out/go may go on, or have to wait."""
    path = s.path("out/go")
    if on:
        open(path, "w").close()
    elif os.path.exists(path):
        os.unlink(path)
