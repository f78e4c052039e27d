-- Fenced writes to streams, all or none: the journal, the role's own out stream. When the newest
-- value of the first stream is the one it would get, the call was sent again because its answer
-- got lost. A full stream refuses everything, one that may be left out goes without.
-- KEYS: task, then the streams
-- ARGV: epoch, then for each stream: field, limit, may be left out (1 or 0), may share one entry
--       (1 or 0), how many, values
if not holds(KEYS[1], ARGV[1]) then return 'fenced' end
local at, writes = 2, {}
for k = 2, #KEYS do
  local name, count = ARGV[at], tonumber(ARGV[at + 4])
  local first, last = at + 5, at + 4 + count
  if k == 2 then
    local newest = call('XREVRANGE', KEYS[k], '+', '-', 'COUNT', 1)
    local fields = newest[1] and newest[1][2]
    if fields and fields[#fields - 1] == name and fields[#fields] == ARGV[last] then return 'ok' end
  end
  if call('XLEN', KEYS[k]) + count <= tonumber(ARGV[at + 1]) then
    writes[#writes + 1] = { KEYS[k], name, first, last, ARGV[at + 3] == '1' }
  elseif ARGV[at + 2] ~= '1' then
    return 'full'
  end
  at = last + 1
end
for _, w in ipairs(writes) do
  local entry = { 'XADD', w[1], '*' }
  for i = w[3], w[4] do
    entry[#entry + 1], entry[#entry + 2] = w[2], ARGV[i]
    if not w[5] or i == w[4] then
      call(unpack(entry))
      entry = { 'XADD', w[1], '*' }
    end
  end
end
return 'ok'
