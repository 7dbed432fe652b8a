import KVBlocks

extension PagingStudy {
  /// Described in data/schemas/study-paging.schema.json.
  package var json: JSONValue {
    [
      "layout": layout.json,
      "workload": workload.json,
      "model": [
        "capacity": [
          "tokens": .integer(model.capacityTokenCount),
          "bytes": .integer(plan.capacityByteCount),
          "chosen": .bool(plan.capacityIsChosen),
        ],
        "busiestHourTokens": .integer(plan.busiestHourTokenCount),
        "measuredHour": plan.measuredMicroseconds.map {
          ["fromMicroseconds": .integer($0.lowerBound), "toMicroseconds": .integer($0.upperBound)]
        } ?? .null,
        "maximumLength": .integer(model.maximumTokenCount),
        "tokenTimeMicroseconds": .integer(model.stepMicroseconds),
        "prefillRate": .integer(model.prefillRate),
        "patienceMicroseconds": .integer(model.patienceMicroseconds),
      ],
      "policies": JSONValue(outcomes),
      "scenario": scenario.json,
      "measured": measurements?.json ?? .null,
      "recommendation": recommendation.json,
    ]
  }
}

extension StudyLayout: JSONConvertible {
  package var json: JSONValue {
    [
      "layers": .integer(layerCount), "keyValueHeads": .integer(keyValueHeadCount), "headSize": .integer(headSize),
      "queryHeads": .integer(queryHeadCount), "elementType": .string(elementType.name),
      "tokenBytes": .integer(tokenByteCount), "store": JSONValue(source), "headsAssumed": .bool(headsAreAssumed),
    ]
  }
}

extension ServingWorkload: JSONConvertible {
  package var json: JSONValue {
    [
      "name": .string(name), "requests": .integer(requests.count),
      "tokens": [
        "prompt": .integer(promptTokenCount), "output": .integer(outputTokenCount),
        "longest": .integer(longestTokenCount),
      ],
      "spanMicroseconds": .integer(spanMicroseconds),
      "prefixBlocks": [
        "tokens": .integer(prefixBlockTokenCount), "references": .integer(prefixBlocks.count),
        "unique": .integer(uniquePrefixBlockCount),
      ],
    ]
  }
}

extension MemoryIntegral {
  /// Rows times steps.
  fileprivate var json: JSONValue {
    [
      "used": .integer(used), "reserved": .integer(reserved), "inside": .integer(inside), "free": .integer(free),
      "outside": .integer(outside), "held": .integer(held), "seen": .integer(seen), "steps": .integer(stepCount),
    ]
  }
}

extension PolicyOutcome: JSONConvertible {
  package var json: JSONValue {
    var kind: [String: JSONValue] = [:]
    switch policy {
    case .contiguous(let reach, let fit):
      kind = ["kind": "contiguous", "reach": .string(reach.name), "fit": .string(fit.rawValue)]
    case .paged(let count, let shares):
      kind = ["kind": "paged", "blockTokens": .integer(count), "sharesPrefixes": .bool(shares)]
    }
    kind["name"] = .string(policy.name)
    return [
      "policy": .object(kind),
      "share": [
        "used": .number(share(\.used)), "reserved": .number(share(\.reserved)), "inside": .number(share(\.inside)),
        "outside": .number(share(\.outside)), "free": .number(share(\.free) - share(\.outside)),
        "unusedOfTaken": .number(unusedShareOfTaken),
      ],
      "rowSteps": sums.json,
      "peak": ["used": .integer(peakUsed), "taken": .integer(peakTaken), "held": .integer(peakHeld)],
      "heldMean": .number(meanHeld),
      "requests": [
        "admitted": .integer(admittedCount), "refused": .integer(refusedCount), "neverFit": .integer(neverFitCount),
        "refusedThoughFree": [
          "count": .integer(refusedThoughFree), "largestFreeTokens": .integer(largestFreeRefused),
          "largestFreeShare": .number(Double(largestFreeRefused) / Double(max(1, capacityTokenCount))),
          "neededTokens": .integer(largestFreeRefusedNeed),
        ],
        "preemptions": .integer(preemptionCount), "preemptedTokens": .integer(preemptedTokenCount),
        "servedOutputTokens": .integer(servedTokenCount), "waitedMicroseconds": .integer(waitedMicroseconds),
      ],
      "timeline": ["partSteps": .integer(timeline.partStepCount), "parts": .array(timeline.parts.map(\.json))],
    ]
  }
}

extension AllocationPolicy.Reach {
  var name: String {
    switch self {
    case .maximum: "maximum"
    case .powerOfTwo: "power_of_two"
    case .exact: "exact"
    }
  }
}

extension FragmentationScenario: JSONConvertible {
  package var json: JSONValue {
    [
      "name": .string(Self.name), "capacityTokens": .integer(model.capacityTokenCount),
      "shortRequests": .integer(shortRequests.count),
      "longRequest": [
        "prompt": .integer(longRequest.promptTokenCount), "output": .integer(longRequest.outputTokenCount),
      ],
      "verdicts": .array(
        verdicts.map { verdict in
          [
            "policy": .string(verdict.policy.name), "admitted": .bool(verdict.isAdmitted),
            "shortRequestsAdmitted": .integer(verdict.admittedCount),
            "freeTokens": .integer(verdict.freeTokenCount), "holes": .integer(verdict.holeCount),
            "largestHoleTokens": .integer(verdict.largestHoleTokenCount),
            "wantedTokens": .integer(verdict.wantedTokenCount), "givenPieces": .integer(verdict.given.count),
          ]
        }),
    ]
  }
}

extension Recommendation: JSONConvertible {
  package var json: JSONValue {
    [
      "blockTokens": .integer(blockTokenCount), "measured": .bool(isMeasured),
      "margin": .number(Self.margin), "wasteLimit": .number(Self.wasteLimit),
      "costs": .array(
        costs.map { cost in
          func number(_ value: Double?) -> JSONValue { value.map { .number($0) } ?? .null }
          return [
            "blockTokens": .integer(cost.blockTokenCount), "waste": .number(cost.waste),
            "attention": number(cost.attention), "bytes": number(cost.bytes), "lookup": number(cost.lookup),
            "total": .number(cost.total),
          ]
        }),
    ]
  }
}
