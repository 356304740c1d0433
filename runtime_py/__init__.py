"""Loads a bundle, finds and aligns faces, embeds and matches them. Needs numpy, Pillow and a TFLite runtime."""
