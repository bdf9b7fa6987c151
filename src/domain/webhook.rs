//! What other systems are told of: the events, and where the telling of one stands.

use crate::words;

words! {
    /// Something that other systems can ask to be told of.
    pub enum EventKind {
        /// A device completed its enrollment.
        DeviceEnrolled = "device.enrolled",
        /// The verdict about a device changed.
        VerdictChanged = "device.verdict_changed",
        /// A device may come in, or no longer may.
        AccessChanged = "device.access_changed",
        /// A wipe was ordered; access is cut from here on.
        WipeOrdered = "wipe.ordered",
        /// The command that completes a wipe was handed to the device.
        WipeSent = "wipe.sent",
        /// The device said that the wipe was carried out.
        WipeAcknowledged = "wipe.acknowledged",
        /// An administrator tries whether a target answers.
        Test = "test",
    }
}

words! {
    /// Where the telling of an event stands.
    pub enum DeliveryState {
        /// Waits to be sent, for the first time or again.
        Queued = "queued",
        /// The target took it.
        Delivered = "delivered",
        /// It was given up.
        Failed = "failed",
    }
}

words! {
    /// How a target fares.
    pub enum TargetState {
        /// The last event was taken, or none was sent yet.
        Active = "active",
        /// The last event was not taken; it is tried again.
        Failing = "failing",
        /// It failed for so long that nothing is sent until an administrator enables it again.
        Paused = "paused",
        /// An administrator switched it off.
        Disabled = "disabled",
    }
}
