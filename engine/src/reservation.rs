//! temporary stand-in
use protocol::money::MicroUsd;
/// x
#[derive(Debug)]
pub struct Reservation(pub MicroUsd);
impl Reservation {
    /// x
    pub fn amount(&self) -> MicroUsd {
        self.0
    }
}
