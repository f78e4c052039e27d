//! How much work waits.

use crate::connect::{Again, Bus, Call};
use crate::error::BusError;
use crate::scripts;
use protocol::ids::Role;
use protocol::task::Class;
use std::collections::BTreeMap;

impl Bus {
    /// Tasks that nobody holds, for every role and class that has a queue; all hosts together.
    pub async fn queue_lengths(&self) -> Result<Vec<(Role, Class, u64)>, BusError> {
        let names = self.keys();
        let mut call = Call::on([names.lanes()])
            .arg(names.work_prefix())
            .arg(names.lease_prefix())
            .arg(names.task_prefix());
        for class in Class::ALL {
            call = call.arg(class.as_str());
        }
        let rows: Vec<(Vec<u8>, String, i64)> =
            self.run(&scripts::WAITING, &call, Again::Yes).await?;
        let mut sums: BTreeMap<(Role, usize), u64> = BTreeMap::new();
        for (role, class, waiting) in rows {
            let class = Class::ALL.iter().position(|c| c.as_str() == class);
            let role = String::from_utf8(role)
                .ok()
                .and_then(|role| role.parse().ok());
            if let (Some(role), Some(class)) = (role, class) {
                *sums.entry((role, class)).or_default() += u64::try_from(waiting).unwrap_or(0);
            }
        }
        let row = |((role, class), sum): ((Role, usize), u64)| (role, Class::ALL[class], sum);
        Ok(sums.into_iter().map(row).collect())
    }
}
