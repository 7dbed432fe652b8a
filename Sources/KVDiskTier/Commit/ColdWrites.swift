import KVBlocks
import KVCodec
import SafeLMDB

/// The writing half of what the pager asks of its cold tier.
extension DiskTier {
  /// The codec's work, on any thread. `frame` is the block's frame in RAM.
  package func encode(
    _ descriptor: BlockDescriptor, layout: BlockLayout, frame: UnsafeRawBufferPointer
  ) throws(StoreError) -> EncodedFrame {
    let codecs = codecs
    let bytes = try codecs.withEncoder { (encoder) throws(StoreError) in
      do throws(FrameError) {
        return codecs.retain(try encoder.encode(descriptor, layout: layout, frame: frame))
      } catch {
        throw .invalidArgument("the block cannot be encoded: \(error.message)")
      }
    }
    return EncodedFrame(
      descriptor: descriptor, bytes: bytes,
      payloadByteCount: layout.payloadByteCount(tokenCount: descriptor.tokens.count),
      release: { codecs.release($0) })
  }

  /// One synced transaction. Throws, with nothing done, where the whole batch cannot be committed.
  package func commit(
    _ batch: ColdBatch, isProtected: (BlockKey) -> Bool
  ) throws(StoreError) -> ColdCommit {
    guard !options.isReadOnly else { throw .readOnlyStore }
    let operations = try prepare(batch.operations)
    defer { for operation in operations { operation.checkpoint.map { codecs.release($0.frame) } } }
    environment.clearStaleReaders()
    do throws(StoreError) {
      return try commit(batch, operations, isProtected)
    } catch {
      guard error.code == .diskFull || error.code == .mapFull else { throw error }
      var wantedByteCount = 0
      for write in batch.writes { wantedByteCount += ExtentFormat.storedByteCount(of: write.frame.bytes.count) }
      for operation in operations { wantedByteCount += operation.checkpoint.map { $0.frame.count } ?? 0 }
      let wantedPageCount = wantedByteCount / ExtentFormat.pageByteCount
      // Whatever hinders this, the error that counts is the first.
      guard let deleted = try? makeRoom(pageCount: wantedPageCount, isProtected: isProtected), deleted > 0 else {
        throw error
      }
      var commit = try commit(batch, operations, isProtected)
      commit.deletedBlockCount += deleted
      return commit
    }
  }

  private func commit(
    _ batch: ColdBatch, _ operations: [PreparedOperation], _ isProtected: (BlockKey) -> Bool
  ) throws(StoreError) -> ColdCommit {
    var putPageCount = 0
    do throws(StoreError) {
      let commit = try environment.write { (transaction: inout WriteTransaction) throws(StoreError) in
        var run = try CommitRun(tables: tables, nowMicroseconds: StoreClock.microseconds(), transaction)
        var commit = ColdCommit()
        for write in batch.writes { commit.writes.append(try run.write(write, &transaction)) }
        for touch in batch.touches { try run.touch(touch, &transaction) }
        for operation in operations {
          commit.operations.append(try run.perform(operation, &transaction, isProtected: isProtected))
        }
        for (write, outcome) in zip(batch.writes, commit.writes) where outcome == .stored {
          try run.deleteOutgrownTails(by: write.frame.descriptor, &transaction, isProtected)
        }
        putPageCount = run.putPageCount
        commit.deletedBlockCount = try keepQuota(batch, putPageCount: putPageCount, &transaction, isProtected)
        try run.finish(&transaction)
        return commit
      }
      return commit
    } catch {
      throw explained(error, wantedByteCount: putPageCount * ExtentFormat.pageByteCount)
    }
  }

  /// Encodes checkpoints, before the one write transaction of all processes begins.
  private func prepare(_ operations: [SessionOperation]) throws(StoreError) -> [PreparedOperation] {
    var prepared: [PreparedOperation] = []
    do throws(StoreError) {
      for operation in operations {
        guard case .put(let record, .replace(let bytes), _) = operation, !bytes.isEmpty else {
          prepared.append(PreparedOperation(operation: operation, checkpoint: nil))
          continue
        }
        let checkpoint = try encodeCheckpoint(bytes, in: record.space)
        prepared.append(PreparedOperation(operation: operation, checkpoint: checkpoint))
      }
      return prepared
    } catch {
      for operation in prepared { operation.checkpoint.map { codecs.release($0.frame) } }
      throw error
    }
  }

  private func encodeCheckpoint(
    _ bytes: [UInt8], in space: SpaceID
  ) throws(StoreError) -> PreparedOperation.Checkpoint {
    let identifier = ChainHash.sha256(bytes)
    let frame: Result<UnsafeRawBufferPointer, FrameError> = codecs.withEncoder { encoder in
      bytes.withUnsafeBytes { raw in
        do throws(FrameError) {
          return .success(
            codecs.retain(try encoder.encodeBlob(raw, identifier: BlockKey(space: space, hash: identifier))))
        } catch {
          return .failure(error)
        }
      }
    }
    switch frame {
    case .success(let frame):
      return PreparedOperation.Checkpoint(frame: frame, identifier: identifier, byteCount: bytes.count)
    case .failure(let error):
      throw .invalidArgument("the checkpoint cannot be encoded: \(error.message)")
    }
  }

  /// Deletes what the quota asks for. - Throws: `quotaFull` where what sessions hold leaves no room.
  private func keepQuota(
    _ batch: ColdBatch, putPageCount: Int, _ transaction: inout WriteTransaction, _ isProtected: (BlockKey) -> Bool
  ) throws(StoreError) -> Int {
    guard let quotaBytes = options.quotaBytes else { return 0 }
    let quotaPageCount = quotaBytes / environment.pageByteCount
    // LMDB writes each tree page that changes to a new place: at most one a table for each block, twice with the
    // deletions.
    let treePageCount = min(
      8 * (batch.writes.count + batch.touches.count + 1), try tables.treePageCount(transaction))
    let slack = recentBatch.withLock { slack -> Int in
      slack.note(pageCount: putPageCount + treePageCount)
      return slack.pageCount(quotaPageCount: quotaPageCount)
    }
    var keeper = QuotaKeeper(tables: tables, targetPageCount: quotaPageCount - slack)
    if try keeper.run(&transaction, isProtected: isProtected) { return keeper.deletedBlockCount }
    let usedPageCount = try tables.usedPageCount(transaction)
    // A batch that makes the store smaller is welcome even where it stays too large.
    guard usedPageCount > quotaPageCount, putPageCount > 0 else { return keeper.deletedBlockCount }
    throw StoreError(
      .quotaFull,
      "the quota of \(quotaBytes) bytes has no room: with what sessions hold and this would add "
        + "\(usedPageCount * environment.pageByteCount) bytes would be in use; raise the quota, "
        + "or delete sessions that are not needed")
  }

  /// LMDB reports a full disk as an input/output error: the file system is asked.
  private func explained(_ error: StoreError, wantedByteCount: Int) -> StoreError {
    guard error.code == .inputOutput, let free = environment.freeDiskByteCount() else { return error }
    return free < max(wantedByteCount, 1 << 20) ? .diskFull(cause: error.cause) : error
  }
}
