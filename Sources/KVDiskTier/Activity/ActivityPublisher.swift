import KVBlocks

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

// Invariants:
// - The file is open and locked only inside one call, so that nothing is left open and no child inherits it.
// - The slot held in epoch `place.epoch` with claim `place.claim` shows `latest - settled`, and the header's counters
//   hold `settled` of this opening: together they are what was told last.
// - After `finish` nothing is written any more.

/// One opening's hand in the store's `activity` file. Nothing here throws and nothing waits long: a file that cannot be
/// used leaves the store as it is.
package final class ActivityPublisher: Sendable {
  /// What an opening tells of itself once.
  package struct Opening: Sendable {
    package var identity: ProcessIdentity
    package var name: String
    package var startedMicroseconds: UInt64
    package var isReadOnly: Bool
    package var quotaBytes: Int?

    package init(
      identity: ProcessIdentity = .current, name: String = ProcessIdentity.currentName,
      startedMicroseconds: UInt64 = StoreClock.microseconds(), isReadOnly: Bool = false, quotaBytes: Int? = nil
    ) {
      self.identity = identity
      self.name = name
      self.startedMicroseconds = startedMicroseconds
      self.isReadOnly = isReadOnly
      self.quotaBytes = quotaBytes
    }
  }

  private struct Place {
    var epoch: UInt64
    var index: Int
    var claim: UInt64
  }

  private struct State {
    var opening: Opening?
    var place: Place?
    /// What of this opening's counts the header holds already: another process took this one for dead.
    var settled = StoreActivity.Counters()
    var latest = StoreActivity.Counters()
    /// Publishings that look for no slot, since all were in use.
    var patience = 0
    var isFinished = false
  }

  private static let patienceMilliseconds = 2
  /// To find out that all slots are in use takes a look at each one's process.
  private static let crowdedPause = 20
  /// A last word is worth more.
  private static let lastPatienceMilliseconds = 500

  private let directory: String
  private let store: ActivityStore?
  private let describe: @Sendable () -> Opening
  private let processID = getpid()
  private let state = Lock<State>(State())

  /// - Parameter opening: asked for at the first publishing, so that opening a store does not wait for it.
  package init(directory: String, storeID: [UInt8], opening: @escaping @Sendable () -> Opening) {
    self.directory = directory
    describe = opening
    store = ActivityFile.dataInode(in: directory).map { ActivityStore(storeID: storeID, inode: $0) }
  }

  /// Shows what the opening did and holds now. A few system calls; call it a few times a second at most.
  package func publish(_ counters: StoreActivity.Counters, _ usage: StoreActivity.Usage) {
    withHeader(patienceMilliseconds: Self.patienceMilliseconds) { state, file, header in
      let opening = state.opening ?? describe()
      state.opening = opening
      if !holdsPlace(&state, file, header) { claim(&state, opening, file, &header) }
      guard let place = state.place else { return }
      let slot = ActivitySlot(
        identity: opening.identity, claim: place.claim, name: opening.name,
        startedMicroseconds: opening.startedMicroseconds, updatedMicroseconds: StoreClock.microseconds(),
        isReadOnly: opening.isReadOnly, quotaBytes: UInt64(opening.quotaBytes ?? 0), usage: usage,
        counters: counters - state.settled)
      if file.write(slot, at: place.index) { state.latest = counters }
    }
  }

  /// Adds all that the opening did to the totals and gives its slot back. Once; later calls do nothing.
  package func finish(_ counters: StoreActivity.Counters) {
    withHeader(patienceMilliseconds: Self.lastPatienceMilliseconds) { state, file, header in
      state.isFinished = true
      if holdsPlace(&state, file, header), let place = state.place { header.settledClaims[place.index] = place.claim }
      header.counters = header.counters + (counters - state.settled)
      header.endedCount &+= 1
      _ = file.write(header)
    }
  }

  // MARK: The file

  private func withHeader(
    patienceMilliseconds: Int, _ body: (inout State, borrowing ActivityFile, inout ActivityHeader) -> Void
  ) {
    // A fork()ed child is not the opening.
    guard let store, getpid() == processID else { return }
    state.withLock { state in
      guard !state.isFinished,
        let file = ActivityFile.writing(in: directory, patienceMilliseconds: patienceMilliseconds),
        var header = header(of: file, store)
      else { return }
      body(&state, file, &header)
    }
  }

  /// The file's header, made anew where there is none to go on with; nil where the file is not this store's to write.
  private func header(of file: borrowing ActivityFile, _ store: ActivityStore) -> ActivityHeader? {
    switch file.header() {
    case .header(let header) where header.store == store: return header
    case .newer: return nil
    case .header, .unusable:
      // Perhaps the folder was moved away and this path is another store's now.
      guard ActivityFile.dataInode(in: directory) == store.inode else { return nil }
      let header = ActivityHeader(
        store: store, epoch: .random(in: 1...UInt64.max), sinceMicroseconds: StoreClock.microseconds())
      return file.clear() && file.write(header) ? header : nil
    }
  }

  /// Whether the slot is still this opening's; where not, what the header holds of it is noted.
  private func holdsPlace(
    _ state: inout State, _ file: borrowing ActivityFile, _ header: ActivityHeader
  ) -> Bool {
    guard let place = state.place else { return false }
    guard place.epoch == header.epoch else {
      // A new file knows nothing of this opening.
      state.settled = StoreActivity.Counters()
      state.place = nil
      return false
    }
    if header.settledClaims[place.index] >= place.claim {
      state.settled = state.latest
      state.place = nil
      return false
    }
    // A damaged slot is free to all; nobody else may have taken it meanwhile.
    if let slot = file.slot(place.index), slot.claim != place.claim {
      state.place = nil
      return false
    }
    return true
  }

  /// Adds up openings that ended without a word, and takes a free slot. None is left where all are in use.
  private func claim(
    _ state: inout State, _ opening: Opening, _ file: borrowing ActivityFile, _ header: inout ActivityHeader
  ) {
    guard state.patience == 0 else {
      state.patience -= 1
      return
    }
    let before = header
    var free: Int?
    for (index, slot) in file.slots().enumerated() {
      let isHeld = slot.map { $0.claim > header.settledClaims[index] } ?? false
      if isHeld, let slot {
        // One process opens a store once: what has this one's identity is an opening that could not say its last word.
        guard slot.identity == opening.identity || !slot.identity.isAlive else { continue }
        header.counters = header.counters + slot.counters
        header.endedCount &+= 1
        header.settledClaims[index] = slot.claim
        // Claims only grow, whatever a slot says.
        header.lastClaim = max(header.lastClaim, slot.claim)
      }
      free = free ?? index
    }
    if free == nil { state.patience = Self.crowdedPause } else { header.lastClaim &+= 1 }
    guard header != before, file.write(header) else { return }
    state.place = free.map { Place(epoch: header.epoch, index: $0, claim: header.lastClaim) }
  }
}
