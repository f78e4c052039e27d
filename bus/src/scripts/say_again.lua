-- Says the rest of a task of which only the role was said.
-- KEYS: role pointer   ARGV: role, role with the rest
if call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
return 1
