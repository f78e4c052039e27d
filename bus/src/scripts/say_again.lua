-- Says what a task is whose supervisor, an older one, said its role alone; as long as the role is known.
-- KEYS: role pointer, what is given   ARGV: what is given
if call('EXISTS', KEYS[1]) == 0 then return 0 end
return call('SET', KEYS[2], ARGV[1], 'NX') and 1 or 0
