-- An answer lies where its asker waits, for a while.
-- KEYS: reply   ARGV: envelope, ms it is kept
call('RPUSH', KEYS[1], ARGV[1])
call('PEXPIRE', KEYS[1], ARGV[2])
return 1
