-- This Redis is the home's from now on, as it is, and workers are let in.
-- KEYS: owner, settled, incarnation   ARGV: home
call('SET', KEYS[1], ARGV[1])
call('SET', KEYS[2], call('GET', KEYS[3]))
return 1
