//! Acts that have a sandbox of their own: what looks at one side of the host, and what reaches outside. Their launcher finds
//! them allowed and writes the line before them.

use super::{Opened, Toolbox};
use crate::stop::Stop;
use crate::workspace::Under;
use guard::act::{Act, Place};
use guard::executor::{Executor, ExecutorError, Outcome};
use guard::gate::Leave;
use guard::host_view::HostView;
use protocol::tool::ToolCall;
use std::time::Duration;
use warden::client::Burned;

/// Whether an act has a sandbox of its own. Pure.
pub fn is_alone(act: &Act) -> bool {
    match act.operation.place() {
        Place::Outside => true,
        Place::Host => HostView::for_operation(&act.operation).is_some(),
        Place::Clone | Place::Warden => false,
    }
}

impl Toolbox {
    /// Runs an act in the sandbox that was opened for it, which is the one that is open meanwhile: whoever ends the work
    /// waits until it is gone.
    pub(super) async fn run_alone(
        &mut self,
        opened: Executor,
        act: &Act,
        leave: Leave,
        timeout: Duration,
    ) -> Result<Outcome, ExecutorError> {
        let (executor, _) = self.executor.insert((opened, Opened::Alone));
        let ran = executor.run(act, leave, timeout).await;
        self.stop().await;
        ran
    }

    /// Does an act in a sandbox of its own, never beside another one that is open. The inner error is that of the sandbox, the
    /// outer one says why none was opened.
    pub(super) async fn alone(
        &mut self,
        step: &str,
        call: &ToolCall,
        act: &Act,
        leave: Leave,
        timeout: Duration,
    ) -> Result<Result<Outcome, ExecutorError>, Stop> {
        self.stop().await;
        let under = Under {
            trial: false,
            ticket: self.ticket.as_ref().map(Burned::id),
            entry: self.witness.begins(step, call, act),
        };
        let opened = self.sandboxes.open_for(act, under).await;
        // Where it was not refused, the line may stand.
        self.begun |= !matches!(opened, Err(Stop::Refuse(_)));
        Ok(self.run_alone(opened?, act, leave, timeout).await)
    }
}
