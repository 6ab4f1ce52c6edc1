"""What solved frames taught about each rig, an optical setup: a camera behind its telescope or lens.

``store`` recognises the rig of a frame by its header, keeps scale, parity and last pointing in one file, and turns them
into hints for the next frame.
"""
