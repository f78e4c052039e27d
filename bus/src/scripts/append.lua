-- Fenced writes to streams, for each task all or none: its journal, the role's own out stream. When
-- the newest value of a task's first stream is the one it would get, the call was sent again because
-- its answer got lost. A full stream refuses everything of its task, one that may be left out goes
-- without.
-- KEYS: for each task: task, then its streams
-- ARGV: for each task: epoch, how many streams, how many entries its holder knows the first to have
--       (0: not known), then for each stream: field, limit, may be left out (1 or 0), may share one
--       entry (1 or 0), how many, values
-- Answers a word for each task: how many entries its first stream has, fenced or full.
local key, at = 1, 1
local function next_task()
  local one = { key = KEYS[key], epoch = ARGV[at], known = tonumber(ARGV[at + 2]) }
  local streams = tonumber(ARGV[at + 1])
  at = at + 3
  for s = 1, streams do
    local count = tonumber(ARGV[at + 4])
    one[s] = { key = KEYS[key + s], field = ARGV[at], limit = tonumber(ARGV[at + 1]),
      spare = ARGV[at + 2] == '1', share = ARGV[at + 3] == '1', first = at + 5,
      last = at + 4 + count, count = count }
    at = at + 5 + count
  end
  key = key + 1 + streams
  return one
end

local function append(one)
  if not holds(one.key, one.epoch) then return 'fenced' end
  local writes, length = {}, 0
  for s, to in ipairs(one) do
    local has = call('XLEN', to.key)
    if s == 1 then
      length = has
      -- As many as its holder knows of: nothing came since, also not this.
      if has > 0 and has ~= one.known then
        for _, newest in ipairs(call('XREVRANGE', to.key, '+', '-', 'COUNT', 4)) do
          local fields = newest[2]
          if fields[#fields - 1] == to.field and fields[#fields] == ARGV[to.last] then return has end
          -- What a person said may lie between.
          if fields[1] ~= 'w' then break end
        end
      end
    end
    if has + to.count <= to.limit then
      writes[#writes + 1] = to
      if s == 1 then length = has + (to.share and 1 or to.count) end
    elseif not to.spare then
      return 'full'
    end
  end
  for _, to in ipairs(writes) do
    local entry = { 'XADD', to.key, '*' }
    for i = to.first, to.last do
      entry[#entry + 1], entry[#entry + 2] = to.field, ARGV[i]
      if not to.share or i == to.last then
        call(unpack(entry))
        entry = { 'XADD', to.key, '*' }
      end
    end
  end
  return length
end

-- One task that fails (its journal is no stream) keeps no other from being written.
local said, failed = {}, nil
while key <= #KEYS do
  local good, word = pcall(append, next_task())
  if not good then failed = failed or word end
  said[#said + 1] = good and word or 'failed'
end
if failed then error(failed) end
return said
