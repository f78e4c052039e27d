-- Tries every command that scripts use, on keys of its own that expire at once.
-- KEYS: a value, a hash, a sorted set, a stream, a set, a list
-- Answers the names of those that are not allowed.
local value, hash, sorted, stream, set, list = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local missing = {}
local function try(...)
  local got = redis.pcall(...)
  if type(got) == 'table' and got.err
    and (string.find(got.err, 'NOPERM', 1, true)
      or string.find(got.err, 'The user executing the script', 1, true)
      or string.find(string.lower(got.err), 'unknown', 1, true)) then
    missing[#missing + 1] = (...)
  end
end
try('TIME')
try('SET', value, '1')
try('GET', value)
try('STRLEN', value)
try('RENAME', value, value)
try('MGET', value)
try('EXISTS', value)
try('HSET', hash, 'f', '1')
try('HGET', hash, 'f')
try('HMGET', hash, 'f')
try('HGETALL', hash)
try('HVALS', hash)
try('HDEL', hash, 'g')
try('ZADD', sorted, 1, 'm')
try('ZRANGE', sorted, 0, 0)
try('ZRANGEBYSCORE', sorted, 0, 1)
try('ZCARD', sorted)
try('ZREM', sorted, 'n')
try('XADD', stream, '*', 'f', '1')
try('XLEN', stream)
try('XRANGE', stream, '-', '+', 'COUNT', 1)
try('XREVRANGE', stream, '+', '-', 'COUNT', 1)
try('XGROUP', 'CREATE', stream, 'g', '0')
try('XREADGROUP', 'GROUP', 'g', 'g', 'COUNT', 1, 'STREAMS', stream, '>')
try('XACK', stream, 'g', '1-1')
try('XDEL', stream, '1-1')
try('XINFO', 'STREAM', stream)
try('SADD', set, 'm')
try('SMEMBERS', set)
try('RPUSH', list, 'v')
for i = 1, 6 do try('PEXPIRE', KEYS[i], 1000) end
try('DEL', list)
return missing
