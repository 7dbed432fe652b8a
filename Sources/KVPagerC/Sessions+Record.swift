import CKVPager
import KVInterchange
import KVPager

// kvpager.h, "Session": name, metadata, expiry, checkpoint, and export as an engine's state.

@c @implementation
public func kvpager_session_describe(
  _ session: kvpager_session, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> kvpager_status {
  answering {
    let answer = try TextAnswer(json)
    try HandleTable.use(session, as: OpenSession.self) { try answer.give($0.session.json) }
  }
}

@c @implementation
public func kvpager_session_rename(_ session: kvpager_session, _ name: UnsafePointer<CChar>!) -> kvpager_status {
  answering {
    let name = try Argument.text(name, "name")
    try HandleTable.use(session, as: OpenSession.self) { try $0.changing { try $0.rename(to: name) } }
  }
}

@c @implementation
public func kvpager_session_set_metadata(
  _ session: kvpager_session, _ name: UnsafePointer<CChar>!, _ value: UnsafePointer<CChar>!
) -> kvpager_status {
  answering {
    let name = try Argument.text(name, "name")
    let value = try Argument.optionalText(value, "value", limit: Argument.documentByteLimit)
    try HandleTable.use(session, as: OpenSession.self) { try $0.changing { $0.metadata[name] = value } }
  }
}

@c @implementation
public func kvpager_session_set_expiry(_ session: kvpager_session, _ microseconds: Int64) -> kvpager_status {
  answering {
    guard microseconds >= -1 else {
      throw StoreError.invalidArgument("microseconds is \(microseconds); give a time since 1970, or -1 for never")
    }
    try HandleTable.use(session, as: OpenSession.self) {
      try $0.changing { $0.expiresMicroseconds = microseconds == -1 ? nil : UInt64(microseconds) }
    }
  }
}

@c @implementation
public func kvpager_session_set_checkpoint(
  _ session: kvpager_session, _ bytes: UnsafeRawPointer!, _ size: Int64
) -> kvpager_status {
  answering {
    _ = try Argument.count(size, "size", limit: Session.checkpointByteLimit)
    let bytes = try Argument.bytes(bytes, size)
    try HandleTable.use(session, as: OpenSession.self) {
      try $0.changing { $0.setCheckpoint(bytes.isEmpty ? nil : Array(bytes)) }
    }
  }
}

@c @implementation
public func kvpager_session_checkpoint(
  _ session: kvpager_session, _ buffer: UnsafeMutableRawPointer!, _ capacity: Int64,
  _ size: UnsafeMutablePointer<Int64>!
) -> kvpager_status {
  answering {
    let result = try Argument.result(size, "size")
    let answer = try AnswerBuffer(buffer, capacity: capacity)
    try HandleTable.use(session, as: OpenSession.self) { open in
      try open.reading { session in
        guard !answer.isAbsent else {
          result.pointee = Int64(session.checkpointByteCount)
          return
        }
        let checkpoint = try session.checkpoint() ?? []
        result.pointee = Int64(checkpoint.count)
        let bytes = try answer.bytes(checkpoint.count)
        checkpoint.withUnsafeBytes { bytes?.copyMemory(from: $0) }
      }
    }
  }
}

@c @implementation
public func kvpager_session_export(
  _ session: kvpager_session, _ token_count: Int64, _ options: UnsafePointer<CChar>!,
  _ buffer: UnsafeMutableRawPointer!, _ capacity: Int64, _ size: UnsafeMutablePointer<Int64>!
) -> kvpager_status {
  answering {
    let result = try Argument.result(size, "size")
    let answer = try AnswerBuffer(buffer, capacity: capacity)
    let options = try ExportOptions(options)
    try HandleTable.use(session, as: OpenSession.self) { open in
      try open.reading { session in
        let export = try session.export(token_count, options, sizeOnly: answer.isAbsent)
        result.pointee = Int64(export.byteCount)
        guard let bytes = try answer.bytes(export.byteCount) else { return }
        try export.write(into: bytes) { (tokens, destinations) throws(StoreError) in
          try session.read(tokens: tokens, into: destinations)
        }
      }
    }
  }
}

@c @implementation
public func kvpager_session_export_file(
  _ session: kvpager_session, _ token_count: Int64, _ options: UnsafePointer<CChar>!, _ path: UnsafePointer<CChar>!,
  _ size: UnsafeMutablePointer<Int64>!
) -> kvpager_status {
  answering {
    let path = try Argument.text(path, "path")
    let options = try ExportOptions(options)
    try HandleTable.use(session, as: OpenSession.self) { open in
      try open.reading { session in
        let export = try session.export(token_count, options, sizeOnly: false)
        let file = try ExportFile(path: path)
        try export.write(
          to: file,
          gather: { (plane, rows, destination) throws(StoreError) in
            try session.gather(plane: plane, tokens: rows, into: destination)
          })
        try file.finish()
        size?.pointee = Int64(export.byteCount)
      }
    }
  }
}

extension Session {
  /// What a frame of the disk tier holds, with room to spare for its header.
  static let checkpointByteLimit = 1 << 31

  /// - Parameter sizeOnly: the checkpoint's bytes are not needed, only how many there are.
  fileprivate func export(
    _ tokenCount: Int64, _ options: ExportOptions, sizeOnly: Bool
  ) throws(StoreError) -> any StateExport {
    let tokens = tokens
    let count = try Argument.cut(tokenCount, of: tokens.count)
    var checkpoint: [UInt8] = []
    if checkpointByteCount > 0 {
      checkpoint = sizeOnly ? Array(repeating: 0, count: checkpointByteCount) : try self.checkpoint() ?? []
    }
    return try options.writer(
      origin: origin, tokens: tokens, planes: space.layout.planes, checkpoint: checkpoint, tokenCount: count)
  }
}
