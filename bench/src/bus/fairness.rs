//! What a queue that is always full of urgent tasks leaves for the others: after how many claims, and
//! after how long, the next background and the next normal task begins.

use super::words::{answer, claim, work};
use super::{BenchError, LEASE, Scene, fail};
use crate::table::Row;
use bus::claim::Inbox;
use bus::connect::Bus;
use protocol::ids::TaskId;
use protocol::task::Class;
use std::collections::HashMap;
use std::time::Instant;

/// Urgent tasks that wait at any moment.
const URGENT: usize = 64;
/// Tasks of each of the other classes.
const OTHERS: usize = 50;

/// One worker, and a new urgent task for each one taken, until the others are through.
pub(super) async fn rows() -> Result<Vec<Row>, BenchError> {
    let scene = Scene::new().await?;
    let (bus, role) = (&scene.bus, &scene.role);
    let mut classes: HashMap<TaskId, Class> = HashMap::new();
    let add = async |class: Class, classes: &mut HashMap<TaskId, Class>| {
        let envelope = work(bus.team());
        if let Some(task) = envelope.payload.task_id {
            classes.insert(task, class);
        }
        bus.submit(&envelope, role, None, class).await.map_err(fail)
    };
    for _ in 0..URGENT {
        add(Class::Urgent, &mut classes).await?;
    }
    for _ in 0..OTHERS {
        add(Class::Background, &mut classes).await?;
        add(Class::Normal, &mut classes).await?;
    }
    let connected = Bus::connect(&scene.redis.address(), bus.team(), LEASE).await;
    let agent = connected.map_err(fail)?;
    let opened = Inbox::open(&agent, role, "bench", "code@fair").await;
    let mut inbox = opened.map_err(fail)?;
    let mut waits = [Wait::new(Class::Background), Wait::new(Class::Normal)];
    let mut claims = 0;
    while waits.iter().any(|wait| wait.seen < OTHERS) {
        let delivery = claim(&mut inbox).await?;
        claims += 1;
        let class = classes.get(&delivery.lease.task).copied();
        for wait in &mut waits {
            wait.saw(class, claims);
        }
        let ended = agent.finish(&delivery.lease, &answer(&delivery)).await;
        ended.map_err(fail)?;
        if class == Some(Class::Urgent) {
            add(Class::Urgent, &mut classes).await?;
        }
    }
    Ok(waits.iter().flat_map(Wait::rows).collect())
}

/// The longest that a class had to wait while some of it did.
struct Wait {
    class: Class,
    seen: usize,
    last: (usize, Instant),
    most: usize,
    longest: f64,
}

impl Wait {
    fn new(class: Class) -> Self {
        Self {
            class,
            seen: 0,
            last: (0, Instant::now()),
            most: 0,
            longest: 0.0,
        }
    }

    fn saw(&mut self, class: Option<Class>, claims: usize) {
        if class == Some(self.class) {
            self.seen += 1;
            self.most = self.most.max(claims - self.last.0);
            self.longest = self.longest.max(self.last.1.elapsed().as_secs_f64() * 1e3);
            self.last = (claims, Instant::now());
        }
    }

    fn rows(&self) -> [Row; 2] {
        let name = format!("full urgent stream: a {} task begins", self.class.as_str());
        [
            Row::new(
                &format!("{name}, after at most"),
                self.most as f64,
                "claims",
            ),
            Row::new(&format!("{name}, within"), self.longest, "ms"),
        ]
    }
}
