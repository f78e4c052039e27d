//! The parts of a plan as people, templates and reports see them.

use super::pages;
use super::plan::{Stored, load, plan_of};
use super::questions;
use super::standing::{self, state_of, unreadable};
use super::store::{Ledger, LedgerError};
use pai::plan::fill::Came;
use protocol::document::QuestionDocument;
use protocol::ids::{Role, ShortId, TaskId};
use protocol::plan::{Part, PartDocument, Plan, PlanDocument};
use protocol::report::Usage;
use protocol::task::Task;
use protocol::task_state::TaskState;
use sqlx::{AnyConnection, Row};

/// A child's row, as far as its plan needs it.
struct Child {
    short_id: ShortId,
    agent: Role,
    state: TaskState,
    result: String,
}

async fn child(tx: &mut AnyConnection, task: TaskId) -> Result<Option<Child>, LedgerError> {
    let key = task.to_string();
    let row = sqlx::query("SELECT short_id, agent, state, reason, result FROM tasks WHERE id = $1")
        .bind(&key)
        .fetch_optional(&mut *tx)
        .await?;
    row.map(|row| {
        let agent: String = row.try_get("agent")?;
        Ok(Child {
            short_id: ShortId(row.try_get::<i64, _>("short_id")?.max(0) as u64),
            agent: agent.parse().map_err(|e| unreadable("agent", &key, e))?,
            state: state_of(&row, &key)?,
            result: row.try_get("result")?,
        })
    })
    .transpose()
}

/// What each part came to so far.
pub(super) async fn came(
    tx: &mut AnyConnection,
    plan: &Plan,
    stored: &[Stored],
) -> Result<Vec<Came>, LedgerError> {
    let mut all = Vec::with_capacity(stored.len());
    for (part, stored) in plan.tasks.iter().zip(stored) {
        let mut came = Came {
            id: part.id.clone(),
            state: stored.standing.state,
            reason: stored.standing.reason.clone(),
            task: None,
            agent: None,
            result: String::new(),
            proven: (0, 0),
        };
        if let Some(task) = stored.task
            && let Some(child) = child(tx, task).await?
        {
            let criteria = pages::criteria(tx, &task.to_string()).await?;
            let passed = criteria.iter().filter(|c| c.passed == Some(true)).count();
            came.proven = (passed as u64, criteria.len() as u64);
            came.task = Some(child.short_id);
            came.agent = Some(child.agent);
            came.result = child.result;
        }
        all.push(came);
    }
    Ok(all)
}

/// A plan for `--json` and `task show`; `None` where the task is no plan.
pub(super) async fn document(
    tx: &mut AnyConnection,
    task: TaskId,
) -> Result<Option<PlanDocument>, LedgerError> {
    let Some((task, stored)) = load(tx, task).await? else {
        return Ok(None);
    };
    let Some(plan) = plan_of(&task) else {
        return Ok(None);
    };
    let mut parts = Vec::with_capacity(stored.len());
    for (part, stored) in plan.tasks.iter().zip(&stored) {
        let child = match stored.task {
            Some(task) => child(tx, task).await?,
            None => None,
        };
        let routed = stored.routed.as_ref().map(|routed| routed.agent.clone());
        parts.push(PartDocument {
            id: part.id.clone(),
            state: stored.standing.state,
            reason: stored.standing.reason.clone(),
            request: request(part),
            agent: child
                .as_ref()
                .map(|child| child.agent.clone())
                .or(routed)
                .or_else(|| part.agent.clone()),
            after: part.after.clone(),
            on_failure: part.on_failure,
            task: child.as_ref().map(|child| child.short_id),
            task_state: child.map(|child| child.state),
            tries: stored.standing.tries,
        });
    }
    Ok(Some(PlanDocument {
        name: plan.name.clone(),
        parts,
    }))
}

/// A part in words.
pub fn request(part: &Part) -> String {
    match (&part.ask, &part.playbook) {
        (Some(ask), _) => ask.clone(),
        (None, Some(name)) => format!("playbook {name}"),
        (None, None) => String::new(),
    }
}

/// A task of a plan's part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildOf {
    /// Uuid.
    pub task: TaskId,
    /// Number for people.
    pub short_id: ShortId,
    /// Who works on it.
    pub agent: Role,
    /// The part's name.
    pub part: String,
}

impl Ledger {
    /// Every task a plan has started, oldest first; later ones are added at the end.
    pub async fn children_of(&self, plan: TaskId) -> Result<Vec<ChildOf>, LedgerError> {
        let mut tx = self.read().await?;
        let rows =
            sqlx::query("SELECT id, agent, task FROM tasks WHERE parent = $1 ORDER BY short_id")
                .bind(plan.to_string())
                .fetch_all(&mut *tx)
                .await?;
        let mut children = Vec::with_capacity(rows.len());
        for row in &rows {
            let key: String = row.try_get("id")?;
            let agent: String = row.try_get("agent")?;
            let json: String = row.try_get("task")?;
            let task: Task = standing::from_json("task", &key, &json)?;
            children.push(ChildOf {
                task: task.id,
                short_id: task.short_id,
                agent: agent.parse().map_err(|e| unreadable("agent", &key, e))?,
                part: task.parent.map(|parent| parent.part).unwrap_or_default(),
            });
        }
        Ok(children)
    }
}

/// The tasks a plan started, oldest first.
pub(super) async fn children(
    tx: &mut AnyConnection,
    plan: &str,
) -> Result<Vec<ShortId>, LedgerError> {
    let ids: Vec<i64> =
        sqlx::query_scalar("SELECT short_id FROM tasks WHERE parent = $1 ORDER BY short_id")
            .bind(plan)
            .fetch_all(&mut *tx)
            .await?;
    Ok(ids
        .into_iter()
        .map(|id| ShortId(id.max(0) as u64))
        .collect())
}

/// What the tasks of a plan used together.
pub(super) async fn usage(tx: &mut AnyConnection, plan: &str) -> Result<Usage, LedgerError> {
    let texts: Vec<String> =
        sqlx::query_scalar("SELECT usage FROM tasks WHERE parent = $1 AND usage <> '{}'")
            .bind(plan)
            .fetch_all(&mut *tx)
            .await?;
    let mut sum = Usage::default();
    for text in &texts {
        sum.add(&standing::from_json("usage", plan, text)?);
    }
    Ok(sum)
}

/// What the parts that wait for a person ask: as text, and as the questions to be answered.
pub(super) async fn questions(
    tx: &mut AnyConnection,
    plan: &str,
) -> Result<(Option<String>, Vec<QuestionDocument>), LedgerError> {
    let rows = sqlx::query(
        "SELECT id, short_id, question FROM tasks
         WHERE parent = $1 AND state = 'waiting' AND question IS NOT NULL ORDER BY short_id",
    )
    .bind(plan)
    .fetch_all(&mut *tx)
    .await?;
    let (mut texts, mut asked) = (Vec::new(), Vec::new());
    for row in &rows {
        let short_id = ShortId(row.try_get::<i64, _>("short_id")?.max(0) as u64);
        let question: String = row.try_get("question")?;
        texts.push(format!("{short_id} asks: {question}"));
        let key: String = row.try_get("id")?;
        let all = questions::of_task(tx, &key, short_id).await?;
        asked.extend(all.into_iter().filter(|asked| asked.answer.is_none()));
    }
    Ok(((!texts.is_empty()).then(|| texts.join("\n")), asked))
}
