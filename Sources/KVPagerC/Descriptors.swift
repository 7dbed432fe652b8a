import CKVPager
import KVPager

// JSON that describes cache spaces, both ways.

/// What `kvpager_space_open` is told.
struct SpaceDescriptor {
  static let settingCountLimit = 4096

  var fingerprint: ModelFingerprint
  let blockTokenCount: Int
  private var members: JSONMembers

  init(_ text: UnsafePointer<CChar>?) throws(StoreError) {
    guard text != nil else { throw .invalidArgument("descriptor is NULL; it names the model") }
    members = try JSONMembers(text, "descriptor")
    fingerprint = ModelFingerprint(
      model: try members.required(try members.text("model"), "model"), adapter: try members.text("adapter") ?? "",
      settings: try members.texts("settings") ?? [:], salt: try members.text("salt") ?? "",
      vllmSeed: try members.text("vllmSeed"))
    guard fingerprint.settings.count <= Self.settingCountLimit else {
      throw .invalidArgument("descriptor: \(fingerprint.settings.count) settings, \(Self.settingCountLimit) at most")
    }
    blockTokenCount = try members.integer("blockTokens", 1...BlockLayout.blockTokenCountLimit) ?? 64
  }

  /// The layout of the planes that are described.
  mutating func layout() throws(StoreError) -> BlockLayout {
    let objects = try members.objects("planes", limit: BlockLayout.planeCountLimit)
    var planes: [PlaneLayout] = []
    for object in try members.required(objects, "planes") { planes.append(try Self.plane(object)) }
    return try layout(of: planes)
  }

  /// The layout of planes that are known without it.
  func layout(of planes: [PlaneLayout]) throws(StoreError) -> BlockLayout {
    try members.finish()
    return try BlockLayout(blockTokenCount: blockTokenCount, planes: planes)
  }

  private static func plane(_ object: JSONMembers) throws(StoreError) -> PlaneLayout {
    var object = object
    let kind = try object.choice("kind", [("keys", Plane.Kind.keys), ("values", .values)])
    let layer = try object.integer("layer", 0...Int(Int32.max))
    let type = try object.choice("type", ElementType.allCases.map { ($0.name, $0) })
    let rowByteCount = try object.integer("rowBytes", 1...BlockLayout.rowByteCountLimit)
    let plane = PlaneLayout(
      Plane(try object.required(kind, "kind"), layer: try object.required(layer, "layer")),
      elementType: try object.required(type, "type"), rowByteCount: try object.required(rowByteCount, "rowBytes"))
    try object.finish()
    return plane
  }
}

extension PlaneLayout: JSONConvertible {
  package var json: JSONValue {
    [
      "kind": .string("\(plane.kind)"), "layer": .integer(plane.layer), "type": .string(elementType.name),
      "rowBytes": .integer(rowByteCount),
    ]
  }
}

extension CacheSpace: JSONConvertible {
  package var json: JSONValue {
    [
      "id": .integer(Int(id.rawValue)), "root": .string(root.description), "model": .string(fingerprint.model),
      "adapter": .string(fingerprint.adapter), "settings": .object(fingerprint.settings.mapValues { .string($0) }),
      "salt": .string(fingerprint.salt), "vllmSeed": JSONValue(fingerprint.vllmSeed),
      "blockTokens": .integer(layout.blockTokenCount), "tokenBytes": .integer(layout.tokenByteCount),
      "planes": JSONValue(layout.planes),
    ]
  }
}
