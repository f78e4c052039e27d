-- KEYS: pulse, grace   ARGV: lease ms
touch(KEYS[1], KEYS[2], now_ms(), tonumber(ARGV[1]))
return 1
