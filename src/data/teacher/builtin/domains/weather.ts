/** Weather now, forecasts, warnings. */
import { type Domain, speaksOf, takes } from "./domain.ts";

const VOCABULARY =
  "weather forecast temperature rain raining rainy snow snowing sunny storm stormy wind windy humid humidity umbrella cold warm hot degrees climate fog foggy cloudy alert warning drizzle outside".split(
    " ",
  );
const NEAR = [
  "How do meteorologists predict the weather?",
  "What causes thunder?",
  "Why is the sky blue?",
  "How are hurricanes named?",
  "What is the difference between weather and climate?",
  "Who invented the thermometer?",
  "What does a barometer measure?",
  "How does a rainbow form?",
  "Why do we have seasons?",
  "What is the water cycle?",
  "How does fog form?",
  "What is the hottest planet in the solar system?",
];
const BEYOND = [
  ["send me the forecast every morning", "subscribe"],
  ["show me a radar map of the storm", "map"],
  ["notify me when it starts raining", "notify"],
  ["turn on the sprinklers when it's dry", "sprinkler"],
  ["look up the weather records from 1987", "history"],
  ["make it stop raining", "control"],
  ["book an umbrella for me", "book"],
  ["draw a chart of last year's temperatures", "chart"],
  ["report a storm to the authorities", "report"],
] as const;
const placed = (t: Parameters<Domain["fits"]>[0]) =>
  takes(t, "place", "latitude", "airport") || t.params.some((p) => p.role.kind === "enum" && /location|city|place/.test(p.role.noun));
const weathery = (t: Parameters<Domain["fits"]>[0]) => speaksOf(t, "weather forecast forecasts temperature");

export const weatherNow: Domain = {
  id: "weather/now",
  fits: (t) => placed(t) && weathery(t) && !speaksOf(t, "forecast forecasts alert alerts warning warnings history historical"),
  objects: ["current weather", "weather", "weather conditions", "current conditions", "temperature"],
  patterns: [
    "((what's|what is) the (weather|weather like|current weather)|(how's|how is) the weather) {@place}( today| right now| at the moment| currently|)?",
    "(what's|what is) the (temperature|current temperature|temperature outside) {@place}( right now| now| at the moment|)?",
    "(what's|what is) it like (outside|out there|weather-wise) {@place}( today| right now|)?",
    "(how (warm|cold|hot|humid|windy|chilly|mild) is it) {@place}( right now| today| at the moment| currently|)?",
    "(is it|is it currently) (raining|snowing|sunny|windy|cloudy|foggy|warm|cold|hot|humid|freezing|pouring|drizzling|nice out|wet|dry) {@place}( right now| today| at the moment| now|)?",
    "(how many degrees is it|how's the temperature|what are the conditions|what are current conditions) {@place}( right now| now|)?",
    "(do I need|should I (take|bring|grab|wear)|would I want) (an umbrella|a coat|a jacket|a warm jacket|a raincoat|sunglasses|gloves|a sweater|a hat|sunscreen) {@place}( right now| today|)?",
    "(weather|current weather|temperature|weather now|weather today|conditions) {@place}( right now| today| please|)",
    "{=place} (weather|temperature|weather now|weather right now|current weather|weather today)",
    "(tell me|let me know|find out|check) (how warm it is|how cold it is|what the weather is|what the weather is like|if it's raining|whether it's raining|whether it's cold|if it is sunny|how the weather is|what it's like outside) {@place}( right now| today| at the moment|)",
    "is it (too (hot|cold|windy|wet) (for a (run|walk|picnic|bike ride)|to (sit|eat|work) outside)|(warm|dry|nice) enough (for a (run|walk|picnic|swim)|to (sit|eat|work) outside)) {@place}( right now| today|)?",
    "(can I|could I) (go for a (walk|run|swim)|hang the laundry outside|eat outside|wear shorts) {@place}( right now| today|)?",
    "(what should I (wear|put on)|how should I dress) {@place}( today| right now|)?",
    "(I'm|I am) (about to (leave|go out|step out)|going for a (walk|run)|at the airport) in {=place}, (what's the weather like|is it raining|do I need a jacket|how cold is it)( right now|)?",
    "(I just (landed|arrived) in|I'm (currently |)in|I live in|I'm (staying|working) in) {=place}(, what's the weather|, how's the weather|, what's the temperature| - what's it like outside|, is it warm out|, how warm is it)( right now| today| at the moment|)?",
    "(my (sister|friend|mother|brother|boss|team) is in|someone I know lives in|we have an office in) {=place}, (what's the weather like|how warm is it|is it raining) there( now| right now| today|)?",
    "(how does the (sky|weather)|how do the conditions) look {@place}( right now| today|)?",
    "(wind|humidity|temperature) (right now |)(in|for) {=place}(, please|)",
    "(what's|what is) the (humidity|wind speed|wind) (like |)(right now |)in {=place}?",
  ],
  vague: [
    "(I'm|we're) (about to walk out the door|heading out|leaving the house|going for a stroll) in {=place}",
    "(getting dressed|picking an outfit|packing my bag) (for the day |)in {=place}",
    "(thinking of|I feel like) (sitting outside|a run|having lunch in the park) in {=place}( today|)",
    "(how are things|what's it looking like) (outside|out there) in {=place}(?| today?)",
    "(just|I just) (landed|arrived) in {=place}, (what should I expect outside|coat or no coat|will I freeze)?",
  ],
  contexts: [
    "I'm about to go out.",
    "I'm deciding what to wear.",
    "My laundry is still wet.",
    "We want to have lunch in the garden.",
    "I haven't looked out of the window yet.",
    "I'm calling my grandmother later.",
  ],
  vocabulary: VOCABULARY,
  nearMisses: NEAR,
  beyond: BEYOND,
  capability: "check the current weather in a place",
};

export const forecast: Domain = {
  id: "weather/forecast",
  fits: (t) => placed(t) && speaksOf(t, "forecast forecasts") && (weathery(t) || speaksOf(t, "day days")),
  objects: ["forecast", "weather forecast", "outlook", "weather outlook"],
  patterns: [
    "(what's|what is|show me|give me|get me|I need|can I get|can I have|could I see) the (forecast|weather forecast|outlook|weather outlook) {@place} {@count}?",
    "(will it|is it going to|is it supposed to|is it likely to) (rain|snow|be sunny|be windy|be cold|be hot|be warm|freeze|storm|clear up|cool down|warm up|get warmer|stay dry|be wet) {@place} {@count|tomorrow;this week;this weekend;soon}?",
    "(what will|how will) the (weather|temperature) be( like|) {@place} {@count|tomorrow;this weekend;later this week}?",
    "((what's|what is) the weather (going to be|supposed to be|looking) like|(how's|how is) the weather (looking|going to be)) {@place} {@count|tomorrow;this weekend;later this week}?",
    "(do I need|should I (pack|bring|take)|will I need) (an umbrella|a coat|warm clothes|a raincoat|sunscreen|boots|a jacket) {@place} {@count|tomorrow;this weekend;this week}?",
    "(forecast|weather forecast|weather outlook|outlook) {@place} {@count}( please|)",
    "{=place} (forecast|weather forecast|outlook) {@count}",
    "(weather|temperatures) {@place} {@count|tomorrow;this weekend;later this week}( please|)",
    "how (warm|cold|hot|windy|wet) (will it (be|get)|is it going to (be|get)) {@place} {@count|tomorrow;this weekend;this week}?",
    "(what kind of|what sort of) weather (can I expect|should we expect|is coming|is on the way|is expected|do they predict) {@place} {@count|tomorrow;this weekend;this week}?",
    "(I'm|we're|I am|we are) (travelling|traveling|flying|driving|going|heading) to {=place}( soon| tomorrow|), (what will the weather be like|what's the forecast|will it rain|how warm will it be|should I pack a coat) {@count}?",
    "(we're planning|I'm planning|my friends are planning) (a picnic|a hike|a barbecue|a wedding|a bike tour|a garden party|a camping trip|a football match) in {=place}, (what's the forecast|will it stay dry|is rain expected|how does the forecast look) {@count}?",
    "(when|on which day) (will it (rain|stop raining|warm up|be sunny|snow)|is it going to (rain|be sunny)) {@place} {@count}?",
    "(is (rain|snow|sunshine|a storm|frost|a heat wave) expected|will there be (rain|snow|sunshine|a storm|frost|a heat wave)) {@place} {@count|tomorrow;this weekend;this week}?",
    "(tell me|let me know|find out|check) (what the weather will be like|whether it will rain|if it's going to snow|how warm it will get|what weather is coming) {@place} {@count|tomorrow;this week;this weekend}",
    "(predict|project|look up) the weather {@place} {@count|for tomorrow;for the weekend;for this week}",
    "(how does (the week|tomorrow|the weekend)|how do the coming days) look (weather-wise |)(in|for) {=place}?",
    "((will the (next few days|coming days) be)|(are the (next few days|coming days) going to be)) (rainy|sunny|cold|mild) {@place}?",
  ],
  vague: [
    "(I'm|we're) (packing for|off to|travelling to|flying to|spending a few days in) {=place}( tomorrow| this weekend|)( and don't know what to bring|, not sure what to pack|, any idea what to expect|)",
    "(planning|thinking about) (a trip to|a few days in|a weekend in|a hike near) {=place}, (good idea|is it worth it|would you go)( this week|)?",
    "(should we|shall we) (move|postpone) the (barbecue|picnic|garden party) in {=place}?",
    "(what's coming up|what lies ahead) in {=place}, (weather-wise|sky-wise)?",
  ],
  contexts: [
    "I'm planning my week.",
    "We have visitors coming.",
    "I have to pack tonight.",
    "We're organising a garden party.",
    "My bike is the only way to work.",
    "We might go camping.",
  ],
  vocabulary: VOCABULARY,
  nearMisses: NEAR,
  beyond: BEYOND,
  capability: "give a weather forecast for the coming days",
};

export const alerts: Domain = {
  id: "weather/alerts",
  fits: (t) => speaksOf(t, "alert alerts warning warnings") && placed(t) && !speaksOf(t, "sensor sensors log logs price stock"),
  objects: ["weather alerts", "alerts", "weather warnings", "severe weather warnings", "active alerts", "storm warnings"],
  patterns: [
    "(are there|do we have|have they issued|is there word of) any (weather |severe weather |storm |active |current |)(alerts|warnings) {@place}( right now| today| at the moment| currently|)?",
    "(any|any active|any current|any new|any severe) (weather alerts|weather warnings|alerts|warnings|storm warnings|flood warnings|heat warnings) {@place}( right now| today| now|)?",
    "(is there (a|any)) (storm|flood|heat|tornado|hurricane|wind|snow|thunderstorm|avalanche) (warning|alert) {@place}( right now| today|)?",
    "(show me|give me|list|check|get|pull up|look up|tell me) (the|all|any) (weather |active |current |severe weather |)(alerts|warnings) {@place}( right now|)",
    "(is it safe|would it be safe) to (travel|drive|be outside|go out|fly|hike|go sailing|camp) (in|around|near) {=place}( right now| today|, weather-wise|)?",
    "(has (a storm warning|a weather warning|anything)|have (any alerts|any warnings)) been (issued|announced|posted) (for|in) {=place}( today| yet|)?",
    "(is|are) {=place} under (a storm warning|any weather warning|an alert|any alerts|a flood watch)( right now| today|)?",
    "(weather alerts|weather warnings|alerts|active warnings|storm warnings|severe weather) {@place}( please| right now| now|)",
    "{=place} (alerts|weather alerts|weather warnings|storm warnings)",
    "(should I (worry|be worried) about|is there any risk of|is anything said about) (storms|flooding|severe weather|dangerous weather|extreme heat|bad weather warnings) {@place}( right now| today|)?",
    "did (they|the authorities|anyone) (issue|announce|put out) (a|any) (warning|alert|weather warning|storm warning) (for|in) {=place}( today| yet|)?",
    "(I heard|someone told me|the news said) (there's a storm coming|there might be flooding|something about a warning), (is there an alert|are there any warnings|any official alerts) (for|in) {=place}?",
    "is any (dangerous|severe|extreme) weather (announced|reported|expected) {@place}( today| right now|)?",
    "(do (people in|the people of)|does anyone in) {=place} need to (take shelter|stay inside|be careful|worry)( because of the weather| today|)?",
  ],
  vague: [
    "(is everything (okay|alright|fine)|are things safe|is it dangerous) (in|around) {=place}( right now| at the moment|), (weather-wise|with the storms|with all this wind)?",
    "(my parents|my kids|our friends) are in {=place} (and I heard about a storm|and it sounds dangerous out there|and I'm worried about the floods)",
    "(anything I should (watch out for|be careful about)|should I stay home|do I have to board up the windows) in {=place}?",
  ],
  contexts: ["The sky looks dark.", "I heard sirens earlier.", "We're about to set out on a hike.", "My family is worried.", "The wind is getting stronger."],
  vocabulary: VOCABULARY,
  nearMisses: NEAR,
  beyond: BEYOND,
  capability: "look up weather alerts for a place",
};

/** More than one weather tool could answer these. */
export const WEATHER_OPEN = [
  "(what should I know about|what can you tell me about|is there anything I should know about) the weather in {=place}?",
  "(give me|I'd like|can I get) (a weather update|a weather report|a weather briefing|the weather situation) for {=place}",
  "(weather report|weather update|weather info|weather situation) {=place}",
  "(how's|how is) {=place} (weather-wise|doing weather-wise)?",
  "(fill me in|bring me up to date|update me) on the weather in {=place}",
  "(what does the weather do|what's happening with the weather|what's the weather doing) in {=place}?",
];
