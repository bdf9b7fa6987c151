-- store::commands::count_endings_handed_out
CREATE INDEX commands_endings_sent ON commands (sent_at)
WHERE purpose IN ('selective_wipe_end', 'full_wipe', 'retire') AND sent_at IS NOT NULL;
