-- An entry that its reader cannot understand leaves the stream with its reason.
-- KEYS: stream, dead   ARGV: group, entry, reason, largest, bytes kept
local found = call('XRANGE', KEYS[1], ARGV[2], ARGV[2])
if not found[1] then
  call('XACK', KEYS[1], ARGV[1], ARGV[2])
  return 'gone'
end
local fields, size = found[1][2], 0
for i = 2, #fields, 2 do size = size + string.len(fields[i]) end
local body = field(fields, 'e') or fields[2] or ''
dead_letter(KEYS[2], KEYS[1], ARGV[1], ARGV[2], ARGV[3], body, size, '', tonumber(ARGV[4]),
  tonumber(ARGV[5]))
return 'ok'
