-- Something a person said to a task that is not over, once: words go to the end of its journal, where
-- its holder looks before its next step; another limit on its cost holds from the next reservation on.
-- Numbers are told in their order. A word is a field of its own, so that a holder's entry is known
-- again behind it.
-- KEYS: task, journal, spend   ARGV: number, journal entry or '', new limit or '', ms a limit is kept
-- Answers 'told', 'ended', or 'unknown'.
local f = call('HMGET', KEYS[1], 'state', 'words')
if not f[1] then return 'unknown' end
if f[1] == 'finished' or f[1] == 'removed' or f[1] == 'dead' then return 'ended' end
if (tonumber(f[2] or 0) or 0) >= tonumber(ARGV[1]) then return 'told' end -- told
if ARGV[2] ~= '' then call('XADD', KEYS[2], '*', 'w', ARGV[2]) end
if ARGV[3] ~= '' then
  call('HSET', KEYS[3], 'cap', ARGV[3])
  call('PEXPIRE', KEYS[3], ARGV[4])
end
call('HSET', KEYS[1], 'words', ARGV[1])
return 'told'
