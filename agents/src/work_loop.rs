//! Drives one held task through the seven phases: asks the machine in `pai` what is next, has it
//! done, hands the answer back. Decides nothing itself.

use crate::attached::Kept;
use crate::blob::Blobs;
use crate::brain::Brain;
use crate::checks::{Measure, on_host};
use crate::granted;
use crate::launcher::assigned::UNHEARD;
use crate::launcher::wish::Wish;
use crate::outbox::Outbox;
use crate::pulse::Hold;
use crate::record::Record;
use crate::remember;
use crate::run::Shared;
use crate::steps::Steps;
use crate::stop::{self, Stop, Watch};
use crate::toolbox::Toolbox;
use crate::witness::Witness;
use crate::workbench::{BASE, Workbench};
use crate::workspace::Sandboxes;
use bus::claim::Delivery;
use guard::redact::Redactor;
use jiff::Timestamp;
use pai::algorithm::{Answer, Ask, Machine, Outcome};
use protocol::criterion::{Criterion, Evidence};
use protocol::envelope::micros;
use protocol::journal::EntryKind;
use protocol::level::Level;
use protocol::memory::{FoundMemory, NewMemory};
use protocol::report::{Progress, Recalled, Wait};
use protocol::task::Task;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// How often the launcher is asked to take a task up where Redis tells it nothing, and the pause between.
const TAKES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(200);
/// How long a task rests then, and how often.
const REST: Duration = Duration::from_secs(30);
const RESTS: u32 = 100;

/// Opens everything a held task works with, and says that it was taken.
pub async fn open(
    shared: &Shared,
    task: Task,
    delivery: &Delivery,
    hold: &Hold,
    outbox: &Outbox,
    watch: Watch,
) -> Result<Workbench, Stop> {
    let blobs = Blobs(shared.disk.clone());
    let lease = &delivery.lease;
    let (steps, project) = tokio::try_join!(
        Steps::open(&shared.bus, lease, blobs, hold, task.id, outbox),
        taken_up(shared, delivery, hold),
    )?;
    let redactor = shared.redactor.clone();
    let sandboxes = Sandboxes {
        disk: shared.disk.clone(),
        hatch: shared.hatch.clone(),
        hold: hold.clone(),
        copying: shared.copying.clone(),
        project,
        copied: false,
        trace: task.trace,
        task: task.short_id,
        clone: None,
        attachments: None,
        writes: granted::writes(granted::most(&shared.agent, task.ceiling)),
        reads_only: false,
        online: shared.agent.programs.is_some() || !shared.agent.registries.is_empty(),
        witness: Arc::new(Witness::of(shared, &task, lease, hold.faults())),
        way_out: Default::default(),
    };
    let grant = granted::grant(&shared.agent, task.ceiling);
    let seed = format!("{}/{}", shared.settings.team.name, task.id);
    let toolbox = Toolbox::new(grant, redactor, sandboxes, watch, seed);
    Ok(Workbench {
        task,
        settings: shared.settings.clone(),
        agent: shared.agent.clone(),
        bus: shared.bus.clone(),
        instance: shared.instance.clone(),
        steps,
        outbox: outbox.clone(),
        toolbox,
        entered: 0,
        measured: 0,
    })
}

/// Has the launcher take the task up; answers the project it is about, where it has a folder. Where Redis does not say
/// what the task is, it rests and is tried again: nothing was touched.
async fn taken_up(
    shared: &Shared,
    delivery: &Delivery,
    hold: &Hold,
) -> Result<Option<String>, Stop> {
    let task = delivery.lease.task;
    for _ in 0..TAKES {
        hold.surely().await?;
        match shared.hatch.slowly(Wish::TakeUp { task }).await {
            Ok(project) => return Ok(project),
            Err(error) if error.raw_os_error() == Some(UNHEARD as i32) => sleep(PAUSE).await,
            Err(error) => return Err(Stop::Fail(error.to_string())),
        }
    }
    let number = u32::try_from(delivery.attempt).unwrap_or(u32::MAX);
    let why = "redis to say what this task is (a first host of an older version does not: upgrade it first)";
    if number >= RESTS {
        return Err(Stop::Fail(format!("waited in vain for {why}")));
    }
    let until = Timestamp::now().checked_add(REST);
    Err(Stop::Wait(Box::new(Wait {
        until: until.unwrap_or(Timestamp::MAX),
        why: why.to_owned(),
        number,
        most: RESTS,
    })))
}

/// From OBSERVE to the end.
pub async fn drive(bench: &mut Workbench, record: &mut Record) -> Result<Outcome, Stop> {
    let mut brain = Brain::new(bench).await?;
    let mut machine = Machine::new(brain.limits());
    let mut memories = Vec::new();
    let mut phase = None;
    loop {
        let ask = machine.ask();
        if let Ask::End(outcome) = ask {
            record.leave(micros(Timestamp::now()));
            return Ok(outcome);
        }
        if phase != Some(ask.phase()) {
            phase = Some(ask.phase());
            bench.enter(record, ask.phase()).await?;
        }
        let answer = answer(bench, record, &mut brain, &mut memories, ask).await?;
        machine
            .answer(answer)
            .map_err(|e| Stop::Fail(e.to_string()))?;
    }
}

async fn answer(
    bench: &mut Workbench,
    record: &mut Record,
    brain: &mut Brain,
    memories: &mut Vec<FoundMemory>,
    ask: Ask,
) -> Result<Answer, Stop> {
    Ok(match ask {
        Ask::Recall => {
            *memories = recall(bench, record).await?;
            Answer::Recalled(memories.clone())
        }
        Ask::Observe => {
            let copying = record.screen.doing("copies the folder it works on");
            prepare(bench, brain).await?;
            drop(copying);
            Answer::Observed(brain.observe(bench, record, memories).await?)
        }
        Ask::Think => Answer::Options(brain.options(bench, record).await?),
        Ask::Plan => Answer::Planned(brain.plan(bench, record).await?),
        Ask::WriteCriteria { complaint } => {
            let criteria = brain.criteria(bench, record, complaint).await?;
            record.written(&criteria);
            let told = Progress::Criteria {
                criteria: criteria.clone(),
            };
            bench.outbox.progress(&told).await?;
            Answer::Criteria(criteria)
        }
        Ask::CheckBefore(criteria) => {
            let change: Vec<Criterion> = criteria.into_iter().filter(|c| c.change).collect();
            let step = bench.measurement("build");
            Answer::Checked(measure(bench, record, &brain.context()?, &step, &change).await?)
        }
        Ask::Work { round, feedback } => {
            if bench.toolbox.sandboxes.copied {
                bench.toolbox.sandboxes.freshen().await?;
            }
            let worked = brain.work(bench, record, round, &feedback).await?;
            record.text = worked.text.clone();
            Answer::Worked(worked)
        }
        Ask::Verify(criteria) => {
            if brain.keeps_changes() {
                keep_patch(bench, record).await?;
            }
            let step = bench.measurement("verify");
            let evidence = measure(bench, record, &brain.context()?, &step, &criteria).await?;
            for seen in &evidence {
                record.measured(seen.clone());
            }
            Answer::Checked(evidence)
        }
        Ask::Learn(outcome) => Answer::Learned(learn(bench, record, brain, &outcome).await?),
        Ask::End(_) => return Err(Stop::Fail("the algorithm went on after its end".to_owned())),
    })
}

/// Brings back what was learned; work goes on without it.
async fn recall(bench: &mut Workbench, record: &mut Record) -> Result<Vec<FoundMemory>, Stop> {
    const STEP: &str = "observe/recall";
    let memories = match bench.steps.recorded::<Vec<FoundMemory>>(STEP)? {
        Some(memories) => memories,
        None => {
            let project = bench.toolbox.sandboxes.project.clone();
            let redactor = bench.toolbox.redactor.clone();
            let request = redactor.text(&bench.task.request);
            let found = remember::recall(
                &bench.bus,
                &bench.agent.name,
                &bench.instance,
                &request,
                project,
            )
            .await;
            let memories = match found {
                Ok(memories) => without_secrets(memories, &redactor),
                Err(error) => {
                    bench.note(error.to_string()).await?;
                    Vec::new()
                }
            };
            bench
                .steps
                .record(STEP, EntryKind::Result, &memories)
                .await?;
            memories
        }
    };
    record.recalled = memories
        .iter()
        .map(|m| Recalled {
            id: m.id.clone(),
            title: m.title.clone(),
            score: m.score,
        })
        .collect();
    if !record.recalled.is_empty() {
        let told = Progress::Recalled {
            memories: record.recalled.clone(),
        };
        bench.outbox.progress(&told).await?;
    }
    Ok(memories)
}

/// What was found, as it is journaled and told: what a person wrote into a memory's file by hand was never masked.
fn without_secrets(mut found: Vec<FoundMemory>, redactor: &Redactor) -> Vec<FoundMemory> {
    for memory in &mut found {
        memory.title = redactor.text(&memory.title);
        memory.snippet = redactor.text(&memory.snippet);
    }
    found
}

/// Clones the workspace where the work needs one, and remembers the tree it started from.
async fn prepare(bench: &mut Workbench, brain: &Brain) -> Result<(), Stop> {
    if !brain.needs_workspace() {
        return Ok(());
    }
    if bench.task.workspace.is_none() {
        return Err(Stop::Fail(
            "this needs a folder: say --workspace DIR, in the chat /workspace DIR".to_owned(),
        ));
    };
    let Workbench { toolbox, steps, .. } = bench;
    toolbox.sandboxes.reads_only = brain.level() < Level::Standard;
    toolbox.sandboxes.prepare(steps).await?;
    if !bench.task.attachments.is_empty() {
        let sandboxes = &mut toolbox.sandboxes;
        let kept = Kept {
            disk: sandboxes.disk.clone(),
            hold: sandboxes.hold.clone(),
            bus: bench.bus.clone(),
            role: bench.task.agent.clone(),
        };
        let laid = kept
            .lay_out(&bench.task.attachments, sandboxes.task)
            .await?;
        sandboxes.attachments = Some(laid);
    }
    if brain.keeps_changes() && steps.recorded::<Value>(BASE)?.is_none() {
        let tree = toolbox.tree().await?;
        steps
            .record(BASE, EntryKind::Result, &json!({"tree": tree}))
            .await?;
    }
    Ok(())
}

/// Keeps what the work changed as a patch beside the clone.
async fn keep_patch(bench: &mut Workbench, record: &mut Record) -> Result<(), Stop> {
    let Some(base) = bench.base()? else {
        return Ok(());
    };
    let Some(now) = bench.toolbox.tree().await? else {
        return Ok(());
    };
    let patch = bench.toolbox.patch(&base, &now).await?;
    // A holder that wakes up late leaves the patch of its successor alone.
    bench.toolbox.sandboxes.hold.surely().await?;
    record.artifacts.retain(|a| a.kind != "patch");
    if let Some(mut kept) = bench.toolbox.sandboxes.keep_patch(&patch)? {
        kept.blob = bench.outbox.send_ahead(patch.as_bytes()).await?;
        record.artifacts.push(kept);
    }
    Ok(())
}

/// Measures criteria, each once; what a lost holder measured is taken from the journal.
pub(crate) async fn measure(
    bench: &mut Workbench,
    record: &Record,
    context: &Value,
    step: &str,
    criteria: &[Criterion],
) -> Result<Vec<Evidence>, Stop> {
    let mut all = Vec::with_capacity(criteria.len());
    let mut sandbox: Option<Measure> = None;
    for criterion in criteria {
        let step = format!("{step}/{}", criterion.id);
        if let Some(seen) = bench.steps.recorded::<Evidence>(&step)? {
            all.push(seen);
            continue;
        }
        stop::check(&bench.toolbox.watch)?;
        let measure = match sandbox.as_mut() {
            Some(measure) => measure,
            None => {
                let opened = Measure::open(&mut bench.toolbox, on_host(criteria)).await?;
                sandbox.insert(opened)
            }
        };
        let doing = record
            .screen
            .doing(format!("measures {}: {}", criterion.id, criterion.text));
        let seen = measure
            .check(&mut bench.toolbox, criterion, context)
            .await?;
        drop(doing);
        tracing::info!(step, criterion = criterion.id, verdict = ?seen.verdict, "measured");
        let mut told = Vec::new();
        if record.phase() == protocol::phase::Phase::Verify {
            let evidence = seen.clone();
            record.screen.of_task(|held| held.measured(&evidence));
            told.push(bench.outbox.word(&Progress::Evidence { evidence })?);
        }
        let Workbench { steps, .. } = bench;
        steps
            .record_and_tell(&step, EntryKind::Result, &seen, &told)
            .await?;
        all.push(seen);
    }
    if let Some(measure) = sandbox {
        measure.close().await;
    }
    Ok(all)
}

/// Keeps what would have helped, with its evidence.
async fn learn(
    bench: &mut Workbench,
    record: &mut Record,
    brain: &Brain,
    outcome: &Outcome,
) -> Result<Vec<String>, Stop> {
    const STEP: &str = "learn/record";
    if let Some(ids) = bench.steps.recorded::<Vec<String>>(STEP)? {
        record.learned = ids.clone();
        return Ok(ids);
    }
    let (title, body) = brain.lesson(bench, outcome);
    let memory = NewMemory {
        title,
        body,
        project: bench.toolbox.sandboxes.project.clone(),
        tags: vec![bench.task.agent.to_string()],
        source: bench.task.agent.to_string(),
        task: Some(bench.task.short_id.to_string()),
        phase: Some(protocol::phase::Phase::Learn),
        evidence: record.evidence.iter().map(evidence_line).collect(),
        key: format!("task/{}", bench.task.id),
    };
    let ids = match remember::remember(&bench.bus, &bench.agent.name, &bench.instance, memory).await
    {
        Ok(id) => vec![id],
        Err(error) => {
            bench.note(error.to_string()).await?;
            Vec::new()
        }
    };
    bench.steps.record(STEP, EntryKind::Result, &ids).await?;
    record.learned = ids.clone();
    Ok(ids)
}

fn evidence_line(seen: &Evidence) -> String {
    let first = seen.observed.lines().next().unwrap_or_default();
    format!("{} {:?}: {first}", seen.criterion, seen.verdict)
}
