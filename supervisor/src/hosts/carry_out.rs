//! On a host that joined: carries out what the supervisor orders about patches of tasks that were
//! worked on here. One order at a time; each is remembered before and after, so that one that is
//! given again, or that a killed daemon left half done, is not done twice.

use crate::patches::put::Put;
use crate::patches::{PatchError, file, folder};
use bus::connect::Bus;
use bus::error::BusError;
use bus::orders::Orders;
use config::home::Home;
use guard::apply::ControlFiles;
use guard::clone;
use protocol::envelope::{Envelope, MessageType};
use protocol::exit;
use protocol::order::{ORDER_VERSION, PATCH, PatchCame, PatchOrder, PatchWish};
use tokio::task::spawn_blocking;

/// Serves until the bus is away.
///
/// # Errors
/// When it is.
pub(crate) async fn serve(home: &Home, bus: &Bus, host: &str) -> Result<(), BusError> {
    let mut orders = Orders::open(bus, host).await?;
    loop {
        let Some(order) = orders.next().await? else {
            continue;
        };
        let came = match read(&order.envelope) {
            Ok(wanted) => carry_out(home, &wanted).await,
            Err(message) => Err(message.into()),
        };
        let came = came.map_or_else(
            |Refusal { message, exit }| PatchCame::Refused { message, exit },
            |said| PatchCame::Done { said },
        );
        tracing::info!(?came, "an order of the supervisor");
        match bus
            .answer(&order.envelope, &answer(bus, &order.envelope, &came))
            .await
        {
            Err(error) if error.is_unreachable() => return Err(error),
            Err(error) => tracing::warn!(%error, "an order could not be answered"),
            Ok(()) => {}
        }
        orders.done(&order).await?;
    }
}

fn read(envelope: &Envelope) -> Result<PatchOrder, String> {
    let payload = &envelope.payload;
    if payload.action != PATCH {
        return Err("this host knows no such order: update ai-infra there".to_owned());
    }
    let v = payload.context.get("v").and_then(serde_json::Value::as_u64);
    if v.is_none_or(|v| v > u64::from(ORDER_VERSION)) {
        return Err("the order is of a newer version: update ai-infra there".to_owned());
    }
    serde_json::from_value(payload.context.clone()).map_err(|e| format!("no order: {e}"))
}

fn answer(bus: &Bus, order: &Envelope, came: &PatchCame) -> Envelope {
    let mut envelope = Envelope::new(bus.team(), MessageType::Answer, "daemon", &order.source);
    envelope.request_id = Some(order.id.to_string());
    envelope.payload.task_id = order.payload.task_id;
    envelope.payload.action = PATCH.to_owned();
    envelope.payload.context = serde_json::to_value(came).unwrap_or_default();
    envelope
}

/// Why it was not done, and the exit code it would have had here.
#[derive(Debug)]
struct Refusal {
    message: String,
    exit: u8,
}

impl From<String> for Refusal {
    fn from(message: String) -> Self {
        let exit = exit::FAILED;
        Refusal { message, exit }
    }
}

impl From<PatchError> for Refusal {
    fn from(error: PatchError) -> Self {
        Refusal {
            message: error.to_string(),
            exit: error.exit_code(),
        }
    }
}

/// Does it; answers what was done, or why it was not.
async fn carry_out(home: &Home, order: &PatchOrder) -> Result<String, Refusal> {
    match order.wish {
        PatchWish::Apply => apply(home, order).await,
        PatchWish::Discard => {
            let folder = folder(home, order.task);
            let removed = spawn_blocking(move || clone::remove(&folder)).await;
            match removed {
                Ok(Ok(())) => Ok("gone".to_owned()),
                Ok(Err(error)) => Err(format!("the clone cannot be removed: {error}").into()),
                Err(error) => Err(error.to_string().into()),
            }
        }
    }
}

async fn apply(home: &Home, order: &PatchOrder) -> Result<String, Refusal> {
    let folder = folder(home, order.task);
    let patch = file::read(&folder, order.task)?;
    if file::digest(&patch) != order.sha256 {
        return Err(format!(
            "the patch of {} here is not the one that was shown: another team's task had this number, or the file was changed",
            order.task
        )
        .into());
    }
    let workspace = clone::check_workspace(&order.workspace, &home.root);
    let put = Put {
        task: order.task,
        workspace: workspace.map_err(|e| e.to_string())?,
        folder,
        patch,
        control: ControlFiles::read(order.control_files),
    };
    Ok(put.run().await?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::patches::file::Record;

    const PATCH_TEXT: &str = "diff --git a/x b/x\n";

    fn order(wish: PatchWish, sha256: String) -> PatchOrder {
        PatchOrder {
            v: ORDER_VERSION,
            wish,
            task: protocol::ids::ShortId(7),
            workspace: "/no/such/folder".into(),
            sha256,
            control_files: false,
        }
    }

    #[tokio::test]
    async fn what_was_done_is_not_done_again_and_no_other_patch_is_applied() {
        let root = tempfile::tempdir().unwrap();
        let home = Home::at(root.path());
        let applying = order(PatchWish::Apply, file::digest(PATCH_TEXT));
        let said = carry_out(&home, &applying).await.unwrap_err().message;
        assert!(said.contains("left no patch"), "{said}");
        let its = folder(&home, applying.task);
        std::fs::create_dir_all(&its).unwrap();
        std::fs::write(its.join("patch.diff"), PATCH_TEXT).unwrap();
        let other = order(PatchWish::Apply, file::digest("another"));
        let said = carry_out(&home, &other).await.unwrap_err().message;
        assert!(said.contains("not the one that was shown"), "{said}");
        let said = carry_out(&home, &applying).await.unwrap_err().message;
        assert!(said.contains("cannot be a workspace"), "{said}");
        assert_eq!(Record::read(&its), Ok(None), "nothing was begun");
        let done = Record::done(&applying.sha256, "3 files");
        done.write(&its).unwrap();
        let work = tempfile::tempdir().unwrap();
        let here = PatchOrder {
            workspace: work.path().to_owned(),
            ..applying.clone()
        };
        let said = carry_out(&home, &here).await.unwrap();
        assert_eq!(said, "3 files (it was applied before)");
        std::fs::write(its.join("applied.json"), "{\"v\":9,\"sha256\":\"\"}").unwrap();
        let said = carry_out(&home, &here).await.unwrap_err().message;
        assert!(said.contains("update it"), "{said}");
        let discarding = order(PatchWish::Discard, String::new());
        for _ in 0..2 {
            assert_eq!(carry_out(&home, &discarding).await.unwrap(), "gone");
        }
        assert!(!its.exists());
    }

    #[test]
    fn strange_orders_are_refused() {
        let team = "main".parse().unwrap();
        let mut envelope = Envelope::new(&team, MessageType::Control, "supervisor", "b");
        assert!(read(&envelope).unwrap_err().contains("no such order"));
        envelope.payload.action = PATCH.to_owned();
        for (context, part) in [
            (serde_json::json!({}), "newer version"),
            (serde_json::json!({"v": 2}), "newer version"),
            (serde_json::json!({"v": 1, "wish": "dance"}), "no order"),
        ] {
            envelope.payload.context = context;
            let said = read(&envelope).unwrap_err();
            assert!(said.contains(part), "{said}");
        }
        let order = order(PatchWish::Discard, String::new());
        envelope.payload.context = serde_json::to_value(&order).unwrap();
        assert_eq!(read(&envelope), Ok(order));
    }
}
