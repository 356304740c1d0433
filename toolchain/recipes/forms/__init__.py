"""Forms that several recipes share."""
