# shellcheck shell=bash
# Sourced by record-half-hour.sh on its stage: what Ann does in her first half hour with a team. `shell`
# types a command and records what it printed, `screen` what a window shows; `until_shows` waits, so that
# nothing is recorded before it is there. The words for the reader are here, what the screen held is not.
# shellcheck disable=SC2154

# hunt PATTERN: Ann's eldest process whose command line is like this, as she would look it up.
hunt() { pgrep -u "$ann" -o -f -- "$1"; }

# attach: to the team's windows again, the one that was seen last.
attach() {
  type_in 'ai-infra attach'
  keys Enter
  until_shows ':code|:logs|:monitor'
  sleep 0.5
}

cat >> "$page" <<TXT
# The first half hour

What a person sees who has never used ai-infra: no account, no key, no model. Ann sits at a terminal of
80x24 on her host \`garden\`; in \`~/shop\` lies a small JavaScript repository with two mistakes, a leaked key
and a broken link. \`scripts/record-half-hour.sh\` pressed the keys and wrote this page; nothing in it is
edited. It took her typing a few minutes; waiting is left out.

TXT

tell "## Minute 0: what is here, and a team"
until_prompt
shell "ai-infra doctor"
shell "ai-infra up"
shell "ai-infra playbook list"

tell "## Minute 2: the first jobs"
shell "cd ~/shop"
shell 'ai-infra run "look over this repository"'
shell 'ai-infra run "run the tests and tell me what fails"'
shell 'git status --short; git log --oneline | head -n 3'
tell "The folder is as it was: the work was done in a clone. Two jobs in one request become a plan:"
shell 'ai-infra run "find broken links in the docs, then look for leaked secrets"'
shell 'ai-infra run "profile data/orders.csv"'

tell "## Minute 5: attached"
tell "\`tmux attach -t ai-infrastructure\` shows window 0, where one talks with the supervisor."
type_in 'tmux attach -t ai-infrastructure'
keys Enter
until_shows 'you ›'
until_shows 't6 .*done'
screen
tell "Tab completes folders, too; then a request, shown as a plan before it runs:"
type_in '/workspace ~/sh'
keys Tab
sleep 1
keys Enter
until_shows 'requests are about'
type_in 'which dependencies does this project have?'
keys Enter
until_shows 'how good was it\? 1 to 10'
screen
tell "A number alone rates it."
type_in '8'
keys Enter
until_shows 'is rated 8 of 10'
screen
tell "Something is missing in a request: it is asked for, not guessed."
type_in 'profile the table orders'
keys Enter
sleep 2
screen
keys C-c
sleep 0.5
type_in '/help'
keys Enter
sleep 1
screen
tell "What no playbook covers needs a model, and that is said:"
type_in 'make the signup form prettier'
keys Enter
until_shows 'secret set'
screen

tell "## Minute 9: the windows"
tell "The tests again; meanwhile \`Ctrl-b 1\`: the code agent at work. (One of the shop's tests takes six seconds.)"
type_in 'run the tests'
keys Enter
until_shows 'EXECUTE|BUILD'
window 1
until_shows '▸ Tests'
sleep 2
screen
until_shows 'idle since' 60
screen
for which in "2 data" "3 infra" "4 research" "5 qa"; do
  tell "\`Ctrl-b ${which% *}\`: ${which#* }"
  window "${which% *}"
  until_shows 'idle since'
  screen
done
tell "\`Ctrl-b 6\`: the team at a glance; Enter looks into what stands under the cursor, \`?\` shows the keys."
window 6
until_shows 'queues'
screen
keys '?'
sleep 0.7
screen
keys '?'
keys Tab
sleep 0.5
keys Enter
sleep 1
screen
keys q
tell "\`Ctrl-b 7\`: what every process wrote, in order of time; \`/\` searches, here for \`secrets\`."
window 7
until_shows 'following'
type_in '/'
type_in 'secrets'
keys Enter
sleep 0.7
screen
keys Escape
sleep 1
tell "\`Ctrl-b d\`: back in the shell; the team works on."
keys C-b
keys d
until_prompt
screen

tell "## Minute 15: the plug is pulled"
tell "The tests are asked for in window 0. While they run, another shell kills the agent that runs them; then the supervisor; then Redis."
attach
window 0
until_shows '0:supervisor\*'
keys C-l
type_in 'run the tests'
keys Enter
until_works code
kill_it() {
  local pid
  pid=$(hunt "$1")
  kill -9 "$pid"
  tell "    another-shell$ kill -9 $pid        # $2"
}
kill_it 'ai-infra .*agent code$' "the code agent"
sleep 2
kill_it 'ai-infra .*supervisor$' "the supervisor"
sleep 2
kill_it 'redis-server' "Redis"
until_shows 'how good was it' 90
screen
keys C-b
keys d
until_prompt
shell 'ai-infra status'
shell 'ai-infra logs --agent daemon --since 1m --level warn'
tell "A terminal that is closed ends nothing, either: what is handed in goes on, and can be followed from anywhere."
shell 'ai-infra run "any leaked secrets here?" --no-wait'
shell 'ai-infra task follow t10 | cat'

tell "## Minute 20: what did it do, and what did it cost?"
shell 'ai-infra task list'
shell 'ai-infra task show t9'
shell 'ai-infra task rate t9 9 it says which file'
shell 'ai-infra logs --task t9 --grep phase | tail -n 7'
shell 'ai-infra memory search "failing tests" --limit 1'

tell "## Minute 24: hands on the brake"
shell 'ai-infra run "run the tests" --no-wait'
until_works code
shell 'ai-infra freeze'
shell 'ai-infra status | head -n 4'
shell 'ai-infra run "how are disk and memory of this host?" --no-wait'
shell 'ai-infra thaw'
shell 'ai-infra task follow t11 | cat'

tell "## Minute 26: mistakes"
shell 'ai-infra run "profile nowhere.csv"'
shell 'ai-infra task show t99'
shell 'ai-infra playbook show run-test'
shell 'ai-infra config show | head -n 6'
shell 'ai-infra run "make the signup form prettier" < /dev/null; echo "exit $?"'

tell "## Minute 28: a phone"
tell "The same windows at 40x20."
term resize-window -x 40 -y 20
attach
window 1
screen
window 6
screen
keys C-b
keys d
sleep 0.5
term resize-window -x 80 -y 24
until_prompt

tell "## Minute 30: gone home"
shell 'ai-infra doctor'
tell "The team works on when the terminal is closed. In the morning, \`ai-infra attach\`."
