//! The examples below the help texts. A test reads every line of them back as a command.

/// Below `ai-infra --help`.
pub const ALL: &str = "\
Begin with:
  ai-infra doctor                              what is missing on this machine
  ai-infra run \"look over this repository\"    starts the team and gives it a task
  ai-infra playbook list                       what works without a model
  ai-infra secret set anthropic-api-key        with a key, any request in your own words

Exit codes: 0 done, 1 failed or found wrong, 2 usage or settings, 3 waits for a person,
4 refused by policy or budget, 5 a service does not answer, 124 deadline passed, 130 cancelled";

/// Below `ai-infra run --help`.
pub const RUN: &str = "\
Examples:
  ai-infra run \"run the tests and tell me what fails\" --workspace ~/shop
  ai-infra run \"run the tests, then look for leaked secrets\"     a plan of two parts
  ai-infra run \"profile data/orders.csv\" --json                 one document, for a script
  ai-infra run --playbook profile-data --param file=orders.csv    exactly this playbook
  ai-infra run \"how full is the disk?\" --timeout 1m --no-wait";

/// Below `ai-infra task --help`.
pub const TASK: &str = "\
Examples:
  ai-infra task list
  ai-infra task show t7                      what was asked, why who did it, the evidence
  ai-infra task diff t7                      what it changed in its clone
  ai-infra task apply t7                     bring that into your folder
  ai-infra task answer t7 happened           answer its question
  ai-infra task tell t7 \"also log it\"        a word to whoever works on it
  ai-infra task budget t7 3.00               what it may cost from now on";

/// Below `ai-infra approvals --help`.
pub const APPROVALS: &str = "\
What asks is said in config/permissions.yaml, such as  acts: {http.change: ask}. A task that asks is
parked and costs nothing; the yes is good once, for half an hour, for exactly what was shown.

Examples:
  ai-infra approvals list
  ai-infra approvals show a41
  ai-infra approvals approve a41 9c1e
  ai-infra approvals deny a41 --because \"not before the weekend\"
  ai-infra approvals approve a41 9c1e --sign ~/.ssh/id_ed25519     signed with your key
  ai-infra approvals pin                     what proves you, where agents run as your user";

/// Below `ai-infra audit --help`.
pub const AUDIT: &str = "\
Each act of an agent has a line before and a line after it; each line names the digest of the one
before and carries a seal that only the warden's key makes. Arguments are kept as digests.

Examples:
  ai-infra audit tail -n 50
  ai-infra audit verify                      whether a line was changed, taken out or cut off
  ai-infra audit export --out record.jsonl";

/// Below `ai-infra secret --help`.
pub const SECRET: &str = "\
Examples:
  ai-infra secret set anthropic-api-key      asks for it, tries it, keeps it
  ai-infra secret set redis-password < file
  ai-infra secret check                      whether the kept key still works";

/// Below `ai-infra ledger --help`.
pub const LEDGER: &str = "\
Examples:
  ai-infra ledger status
  ai-infra ledger move --to postgres://ai@db.example/ai     from the file to a database
  ai-infra ledger move --to file                            and back";

/// Below `ai-infra workspace --help`.
pub const WORKSPACE: &str = "\
Examples:
  ai-infra workspace list
  ai-infra workspace add ~/code/shop --name shop
  ai-infra run \"run the tests\" --workspace shop      from wherever you are
  ai-infra workspace trust ~/code/shop --show         what it says to agents
  ai-infra workspace trust ~/code/shop                models may be told its AGENTS.md, as it is now
  ai-infra workspace trust ~/code/shop --sign ~/.ssh/id_ed25519     the same, signed with your key
  ai-infra workspace trust ~/code/shop --to-sign      what to sign where your key is; then --signature FILE";

/// Below `ai-infra memory --help`.
pub const MEMORY: &str = "\
Examples:
  ai-infra memory add \"deploys go out on Tuesdays\" --tag deploy
  ai-infra memory search deploy --limit 5
  ai-infra memory search \"flaky tests\" --workspace ~/shop --json
  ai-infra memory forget m-20261120-3fa9c1 --reason \"the proxy is gone\"
  ai-infra memory export memories.tar.zst
  ai-infra memory import ~/shop/CLAUDE.md --workspace ~/shop";

/// Below `ai-infra backup --help`.
pub const BACKUP: &str = "\
Examples:
  ai-infra backup run                        every job of config/backup.yaml
  ai-infra backup list                       every snapshot that is kept
  ai-infra backup verify                     read the newest ones back and compare
  ai-infra backup drill                      restore the home aside, start it, compare: would it work?
  ai-infra backup key                        the recovery key, to keep a copy elsewhere
  ai-infra backup restore code --to /tmp/look          put the newest one there
  ai-infra backup restore --from /mnt/disk/backups     fill a home that was lost
  ai-infra backup run --release v2026.11     a snapshot kept apart, as a release at GitHub
  ai-infra backup run configuration          settings, agents, playbooks: both ways
  ai-infra backup conflicts                  what of them waits for your decision
  ai-infra backup conflicts take theirs config/ai-infra.yaml
  ai-infra backup versions rollback 3f2a91c0de         the configuration as it was";

/// Below `ai-infra completions --help`.
pub const COMPLETIONS: &str = "\
Put it where the shell looks, once, and again after an upgrade (install.sh does both):
  ai-infra completions bash > ~/.local/share/bash-completion/completions/ai-infra
  ai-infra completions zsh > ~/.zfunc/_ai-infra
  ai-infra completions fish > ~/.config/fish/completions/ai-infra.fish

zsh: with `fpath+=(~/.zfunc)` before `compinit` in ~/.zshrc.
Names of tasks come from the running team; while it is down, none are offered.";

/// Below `ai-infra config --help`.
pub const CONFIG: &str = "\
Examples:
  ai-infra config show                       every setting, and the layer it came from
  ai-infra config check                      all that is wrong, with the nearest right key
  ai-infra config check ~/new/backup.yaml    the same of a file, before it is put in place";

/// Below `ai-infra schedule --help`.
pub const SCHEDULE: &str = "\
Examples:
  ai-infra schedule add nightly-tests --when \"30 2 * * *\" --workspace ~/shop \"run the tests\"
  ai-infra schedule list                     when each begins next, how the last run went
  ai-infra schedule show nightly-tests       its coming times and its last runs
  ai-infra schedule run nightly-tests        once now, beside its own times
  ai-infra schedule pause nightly-tests      until resume";

/// Below `ai-infra playbook --help`.
pub const PLAYBOOK: &str = "\
Examples:
  ai-infra playbook list                     what works without a model
  ai-infra playbook show run-tests           its text, to copy and change
  ai-infra playbook check mine.yaml          before it goes to the home's playbooks folder";
