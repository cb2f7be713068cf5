-- What outcomes named before other rules were adopted, oldest first: each an era of the stream (decision 0032).
ALTER TABLE rules ADD COLUMN former VARCHAR[];
