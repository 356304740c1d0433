"""What a build did, and the machine that did it."""
