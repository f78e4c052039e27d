//! What the monitor has seen, where the cursor stands, and what a key means. Pure: keys go in, wishes come out.

use super::host::Gauges;
use super::prompt::{Prompt, Typed};
use jiff::Timestamp;
use protocol::board::Board;
use protocol::control::Verb;
use protocol::document::{QuestionDocument, TaskLine, TaskPage, TeamStatus};
use protocol::ids::{Role, ShortId, TaskRef};
use protocol::task_state::{TaskState, WaitReason};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// The monitor.
#[derive(Debug, Default)]
pub struct Monitor {
    /// The team, put together from what the daemon and the supervisor say.
    pub status: Option<TeamStatus>,
    /// What the supervisor said last.
    pub board: Option<Board>,
    /// The supervisor does not answer now, or is older than this program.
    pub away: Option<String>,
    /// The machine.
    pub gauges: Gauges,
    /// Where the cursor stands, counted over all rows.
    pub cursor: usize,
    /// The task that is looked into.
    pub page: Option<Page>,
    /// A question to the person at the keys.
    pub prompt: Option<Prompt>,
    /// What came of the last wish.
    pub said: Option<String>,
    /// The keys are explained.
    pub help: bool,
}

/// One task, whole.
#[derive(Debug, Clone)]
pub struct Page {
    /// Which.
    pub task: ShortId,
    /// Its page, once it came.
    pub page: Option<Box<TaskPage>>,
    /// The first line on the screen.
    pub top: usize,
    /// The lines there are and that fit, as last drawn.
    pub size: (usize, usize),
}

/// A row the cursor can stand on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// An agent.
    Agent(Role),
    /// Something that waits for a person: a question, or a paused task.
    Waits(ShortId),
    /// A task.
    Task(ShortId),
}

/// What a key asks of whoever runs the monitor.
#[derive(Debug, Clone, PartialEq)]
pub enum Wish {
    /// Draw again.
    Draw,
    /// End.
    Quit,
    /// Show this task.
    Look(ShortId),
    /// Ask the supervisor to do it.
    Do(Verb),
}

impl Monitor {
    /// Roles in the order they are shown.
    pub fn agents(&self) -> Vec<Role> {
        let processes = self.status.iter().flat_map(|status| &status.processes);
        let no_agent = [
            "daemon",
            "redis",
            "warden",
            "supervisor",
            "chat",
            "monitor",
            "logs",
        ];
        processes
            .filter(|process| !no_agent.contains(&process.name.as_str()))
            .filter_map(|process| process.name.parse().ok())
            .collect()
    }

    /// Open questions, oldest first.
    pub fn questions(&self) -> impl Iterator<Item = &QuestionDocument> {
        let status = self.status.iter().flat_map(|status| &status.questions);
        status.filter(|question| question.answer.is_none())
    }

    /// The question of a task, where one is open.
    pub fn question(&self, task: ShortId) -> Option<&QuestionDocument> {
        self.questions().find(|question| question.task == task)
    }

    /// The tasks, newest first.
    pub fn tasks(&self) -> &[TaskLine] {
        self.board.as_ref().map_or(&[], |board| &board.tasks)
    }

    /// The line of a task.
    pub fn task(&self, task: ShortId) -> Option<&TaskLine> {
        self.tasks().iter().find(|line| line.short_id == task)
    }

    /// What waits for a person: questions first, then what somebody paused.
    pub fn waits(&self) -> Vec<ShortId> {
        let mut waits: Vec<ShortId> = self.questions().map(|question| question.task).collect();
        let paused = TaskState::Waiting {
            on: WaitReason::Paused,
        };
        let asked = TaskState::Waiting {
            on: WaitReason::Input,
        };
        for task in self.tasks() {
            let rests = task.state == paused || task.state == asked;
            if rests && !waits.contains(&task.short_id) && task.parent.is_none() {
                waits.push(task.short_id);
            }
        }
        waits
    }

    /// Every row, as they stand below each other.
    pub fn rows(&self) -> Vec<Row> {
        let agents = self.agents().into_iter().map(Row::Agent);
        let waits = self.waits().into_iter().map(Row::Waits);
        let tasks = self.tasks().iter().map(|task| Row::Task(task.short_id));
        agents.chain(waits).chain(tasks).collect()
    }

    /// The row under the cursor.
    pub fn chosen(&self) -> Option<Row> {
        let rows = self.rows();
        rows.get(self.cursor.min(rows.len().saturating_sub(1)))
            .cloned()
    }

    /// The task that keys are about: the one looked into, else the one under the cursor.
    pub fn about(&self) -> Option<ShortId> {
        if let Some(page) = &self.page {
            return Some(page.task);
        }
        match self.chosen()? {
            Row::Agent(role) => self.held(&role),
            Row::Waits(task) | Row::Task(task) => Some(task),
        }
    }

    /// What an agent holds.
    pub fn held(&self, role: &Role) -> Option<ShortId> {
        let processes = self.status.iter().flat_map(|status| &status.processes);
        let mut of = processes.filter(|process| process.name == role.as_str());
        of.find_map(|process| process.task)
    }

    /// Whether a person paused an agent.
    pub fn is_paused(&self, role: &Role) -> bool {
        let paused = self.status.iter().flat_map(|status| &status.paused);
        paused
            .filter_map(|line| line.role.as_ref())
            .any(|one| one == role)
    }

    /// Whether an agent begins only urgent tasks, because its host is under pressure.
    pub fn is_held_back(&self, role: &Role) -> bool {
        let held = self.status.iter().flat_map(|status| &status.held_back);
        held.map(|line| &line.role).any(|one| one == role)
    }

    /// Whether the team is frozen.
    pub fn is_frozen(&self) -> bool {
        self.status.as_ref().is_some_and(|s| s.frozen.is_some())
    }

    /// Since when a task is in its phase.
    pub fn phase_since(&self, task: ShortId) -> Option<Timestamp> {
        let phases = self.board.iter().flat_map(|board| &board.phases);
        phases
            .filter(|line| line.task == task)
            .map(|line| line.since)
            .next()
    }

    /// A key was pressed.
    pub fn press(&mut self, key: KeyEvent) -> Wish {
        if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
            return Wish::Quit;
        }
        self.said = None;
        if let Some(mut prompt) = self.prompt.take() {
            return match prompt.press(key.code) {
                Typed::More => {
                    self.prompt = Some(prompt);
                    Wish::Draw
                }
                Typed::Left => Wish::Draw,
                Typed::Do(verb) => Wish::Do(verb),
            };
        }
        if std::mem::take(&mut self.help) {
            return Wish::Draw;
        }
        match key.code {
            KeyCode::Char('q') if self.page.is_none() => Wish::Quit,
            KeyCode::Char('q') | KeyCode::Esc | KeyCode::Backspace => {
                self.page = None;
                Wish::Draw
            }
            KeyCode::Char('?') => {
                self.help = true;
                Wish::Draw
            }
            KeyCode::Enter => self.look(),
            KeyCode::Char('a') => self.answer(),
            KeyCode::Char('c') => self.cancel(),
            KeyCode::Char('f') => {
                let thaw = self.is_frozen();
                self.prompt = Some(Prompt::freeze(thaw));
                Wish::Draw
            }
            KeyCode::Char('p') => self.pause(),
            key => self.go(key),
        }
    }

    fn say(&mut self, words: &str) -> Wish {
        self.said = Some(words.to_owned());
        Wish::Draw
    }

    fn look(&mut self) -> Wish {
        match (self.page.is_some(), self.about()) {
            (true, _) => Wish::Draw,
            (false, None) => self.say("this agent holds nothing: choose a task"),
            (false, Some(task)) => {
                self.page = Some(Page {
                    task,
                    page: None,
                    top: 0,
                    size: (0, 0),
                });
                Wish::Look(task)
            }
        }
    }

    fn answer(&mut self) -> Wish {
        let about = self.about().and_then(|task| self.question(task));
        let prompt = about
            .or_else(|| self.questions().next())
            .map(Prompt::answer);
        match prompt {
            Some(prompt) => {
                self.prompt = Some(prompt);
                Wish::Draw
            }
            None => self.say("no question waits for an answer"),
        }
    }

    fn cancel(&mut self) -> Wish {
        let Some(task) = self.about() else {
            return self.say("this agent holds nothing: choose a task");
        };
        if self.task(task).is_some_and(|line| line.state.is_final()) {
            return self.say(&format!("{task} has ended already"));
        }
        self.prompt = Some(Prompt::cancel(task));
        Wish::Draw
    }

    /// Pauses or resumes what the cursor stands on: an agent, or a task.
    fn pause(&mut self) -> Wish {
        let on_agent = self.page.is_none().then(|| self.chosen()).flatten();
        if let Some(Row::Agent(role)) = on_agent {
            return Wish::Do(match self.is_paused(&role) {
                true => Verb::AgentResume { role },
                false => Verb::AgentPause { role },
            });
        }
        let Some(line) = self.about().and_then(|task| self.task(task)) else {
            return self.say("choose an agent or a task to pause");
        };
        let task = TaskRef::Short(line.short_id);
        let paused = TaskState::Waiting {
            on: WaitReason::Paused,
        };
        Wish::Do(match line.state == paused {
            true => Verb::TaskResume { task },
            false => Verb::TaskPause { task },
        })
    }

    /// Moves the cursor, or the page.
    fn go(&mut self, key: KeyCode) -> Wish {
        let page = self.page.as_ref().map_or(10, |page| page.size.1.max(2) - 1);
        let page = page.cast_signed();
        let by = match key {
            KeyCode::Up | KeyCode::Char('k') => -1,
            KeyCode::Down | KeyCode::Char('j') => 1,
            KeyCode::PageUp | KeyCode::Char('b') => -page,
            KeyCode::PageDown | KeyCode::Char(' ') => page,
            KeyCode::Home | KeyCode::Char('g') => isize::MIN,
            KeyCode::End | KeyCode::Char('G') => isize::MAX,
            KeyCode::Tab => return self.next_section(),
            _ => return Wish::Draw,
        };
        let moved = |at: usize, most: usize| at.saturating_add_signed(by).min(most);
        match &mut self.page {
            Some(page) => {
                let last = page.size.0.saturating_sub(page.size.1);
                page.top = moved(page.top.min(last), last);
            }
            None => {
                let last = self.rows().len().saturating_sub(1);
                self.cursor = moved(self.cursor.min(last), last);
            }
        }
        Wish::Draw
    }

    /// From the agents to what waits, to the tasks, and round again.
    fn next_section(&mut self) -> Wish {
        let rows = self.rows();
        let kind = |row: &Row| std::mem::discriminant(row);
        let here = rows.get(self.cursor).map(kind);
        let next = (self.cursor..rows.len()).find(|at| rows.get(*at).map(kind) != here);
        self.cursor = next.unwrap_or(0);
        Wish::Draw
    }
}
