-- The newest dead letters of one role, with only the first bytes of what they held.
-- KEYS: dead   ARGV: how many, bytes shown
local rows = {}
for _, entry in ipairs(call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', ARGV[1])) do
  local f = entry[2]
  rows[#rows + 1] = { entry[1], field(f, 'stream') or '', field(f, 'reason') or '',
    field(f, 'at') or '0', field(f, 'size') or '0', field(f, 'task') or '',
    string.sub(field(f, 'body') or '', 1, tonumber(ARGV[2])) }
end
return rows
