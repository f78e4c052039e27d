-- Entries that were dealt with leave their streams. A script, because Redis takes no transaction
-- of plain commands at `maxmemory`, and this is what frees memory.
-- KEYS: streams   ARGV: group, then for each entry the place of its stream in KEYS and its id
for i = 2, #ARGV, 2 do
  local stream = KEYS[tonumber(ARGV[i])]
  call('XACK', stream, ARGV[1], ARGV[i + 1])
  call('XDEL', stream, ARGV[i + 1])
end
return 1
