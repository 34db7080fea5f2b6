"""What the files of a stock server, and the options of ours, say."""
