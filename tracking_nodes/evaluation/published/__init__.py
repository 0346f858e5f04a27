"""Raw results that others have published, read and put into a results folder."""
