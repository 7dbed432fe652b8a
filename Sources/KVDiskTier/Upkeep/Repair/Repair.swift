import KVBlocks
import SafeLMDB

extension DiskTier {
  /// Sets right what an audit found, in one transaction: other processes see the store as it was or as it is then, and
  /// their commits wait meanwhile. What `suspects` names is read again first. On the writer thread.
  ///
  /// Blocks that cannot be read are dropped with those that hang on them, unless a session holds them: storing the same
  /// tokens again heals them, and what follows them is of use again. Records that are lost come back from the frames
  /// and bodies that they named. Counts, links and counters follow from the rest. Spaces are left as they are.
  /// - Parameter cutsSessions: cuts sessions that lost blocks back to what is whole of them, and drops checkpoints that
  ///   cannot be read, so that nothing damaged is left.
  package func repair(_ suspects: RepairSuspects, cutsSessions: Bool) throws(StoreError) -> RepairReport {
    guard !options.isReadOnly else { throw .readOnlyStore }
    environment.clearStaleReaders()
    return try environment.write { (transaction: inout WriteTransaction) throws(StoreError) in
      var run = RepairRun(
        tables: tables, handle: transaction.handle, suspects: suspects, cutsSessions: cutsSessions, codecs: codecs)
      try run.run(&transaction)
      return run.report
    }
  }
}
