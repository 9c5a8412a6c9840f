/**
 * Questions, chat and small jobs that need no tool: several hundred, by template and topic. Their
 * answers are the base model's own. The template is the frame, so that training and evaluation share none.
 */

/** What kind of help is wanted; `knowledge` is left out where a tool can search the world. */
export type QuestionKind = "knowledge" | "chat" | "maths" | "creative" | "language" | "advice";

export interface Template {
  readonly kind: QuestionKind;
  /** In the notation of expand.ts; `{t}` is filled from `fill`. */
  readonly text: string;
  readonly fill?: readonly string[];
}

const list = (s: string): readonly string[] => s.split("|");
const COUNTRIES = list("France|Japan|Brazil|Egypt|Canada|Norway|Kenya|India|Peru|Poland|Vietnam|Greece|Portugal|Mexico|Finland|Turkey");
const CONCEPTS = list(
  "photosynthesis|gravity|democracy|inflation|evolution|an atom|a black hole|friction|the greenhouse effect|electricity|osmosis|a vaccine|supply and demand|DNA|magnetism|plate tectonics|a prime number|entropy|biodiversity|a logarithm|philosophy|machine learning|an algorithm|momentum",
);
const ANIMALS = list("an elephant|a penguin|a dolphin|an owl|a honeybee|a tiger|an octopus|a camel|a hummingbird|a wolf|a turtle|a kangaroo");
const INVENTIONS = list(
  "the telephone|the light bulb|the printing press|the bicycle|the steam engine|penicillin|the radio|the microscope|the World Wide Web|the piano",
);
const BOOKS = list("Hamlet|Pride and Prejudice|Don Quixote|War and Peace|Moby-Dick|Frankenstein|The Odyssey|1984|The Little Prince|Les Misérables");
const THEMES = list(
  "the sea|a lost key|autumn leaves|an old clock|friendship|the moon|a brave mouse|a train at night|first love|the color blue|a quiet library|a robot gardener|courage|home|time",
);
const WORDS = list("serendipity|ubiquitous|melancholy|resilient|ephemeral|candid|diligent|ambiguous|nostalgia|eloquent|frugal|meticulous");
const SKILLS = list("the guitar|a new language|public speaking|chess|drawing|swimming|touch typing|programming|photography|knitting");
const HABITS = list(
  "sleep better|stay focused|drink more water|wake up earlier|read more books|save money|be more patient|remember names|reduce stress|stop procrastinating",
);
const PAIRS = list(
  "a crocodile and an alligator|a virus and a bacterium|jam and jelly|a meteor and a comet|speed and velocity|a fruit and a vegetable|a simile and a metaphor|weathering and erosion|a moth and a butterfly|a violin and a viola|tea and coffee|a hypothesis and a theory",
);
const PEOPLE = list(
  "Marie Curie|Isaac Newton|Leonardo da Vinci|Cleopatra|Nelson Mandela|Ada Lovelace|Mozart|Galileo|Frida Kahlo|Charles Darwin|Rosa Parks|Albert Einstein|Confucius|Florence Nightingale",
);

export const TEMPLATES: readonly Template[] = [
  { kind: "knowledge", text: "(What is|What's|Tell me) the capital of {t}?", fill: COUNTRIES },
  { kind: "knowledge", text: "(Which|What) language do (people|they) speak in {t}?", fill: COUNTRIES },
  { kind: "knowledge", text: "What (continent is {t} on|part of the world is {t} in)?", fill: COUNTRIES },
  { kind: "knowledge", text: "What is {t} (famous|known) for?", fill: COUNTRIES },
  { kind: "knowledge", text: "(What is|Explain|Can you explain|Please explain) {t} in simple terms", fill: CONCEPTS },
  { kind: "knowledge", text: "(What is|What's) {t}?", fill: CONCEPTS },
  { kind: "knowledge", text: "How would you explain {t} to a (child|beginner|ten-year-old)?", fill: CONCEPTS },
  { kind: "knowledge", text: "Why is {t} important?", fill: CONCEPTS },
  { kind: "knowledge", text: "What does {t} eat?", fill: ANIMALS },
  { kind: "knowledge", text: "(Tell me|Give me) (a fun fact|something interesting) about {t}", fill: ANIMALS },
  { kind: "knowledge", text: "How long does {t} live?", fill: ANIMALS },
  { kind: "knowledge", text: "Who invented {t}?", fill: INVENTIONS },
  { kind: "knowledge", text: "How did {t} change the world?", fill: INVENTIONS },
  { kind: "knowledge", text: "Who wrote {t}?", fill: BOOKS },
  { kind: "knowledge", text: "What is {t} about?", fill: BOOKS },
  { kind: "knowledge", text: "Who was {t}?", fill: PEOPLE },
  { kind: "knowledge", text: "What is {t} (best known|remembered) for?", fill: PEOPLE },
  { kind: "knowledge", text: "(What is|What's|Explain) the difference between {t}?", fill: PAIRS },
  {
    kind: "knowledge",
    text: "{t}",
    fill: list(
      "How many planets are in the solar system?|What is the largest ocean on Earth?|What is the boiling point of water?|How many bones does an adult have?|What gas do plants take in?|What is the speed of light?|Who painted the Mona Lisa?|What is the longest river in Africa?|How many continents are there?|What is the smallest prime number?|What is the chemical symbol for gold?|When did the Second World War end?|What causes the tides?|How do vaccines work?|Why do leaves change color in autumn?|What is the tallest mountain in the world?|How does a microwave oven heat things?|What do bees make?|How many sides does a hexagon have?|Why do cats purr?|What are the primary colors?|How does the heart work?|What is a haiku?|What is the human body's largest organ?|How do magnets work?|What are the three states of matter?|What is an ecosystem?|Why do we yawn?|What is the square of nine?|How is paper made?|What is a palindrome?|What is the Fibonacci sequence?|Where do penguins live?|How do submarines dive?|What is bread made of?",
    ),
  },
  { kind: "language", text: "What does the word {t} mean?", fill: WORDS.map((w) => `"${w}"`) },
  { kind: "language", text: "(Use|Put) the word {t} in a sentence", fill: WORDS.map((w) => `"${w}"`) },
  { kind: "language", text: "(Give me|What is|Tell me) a synonym for {t}(|, please)", fill: WORDS },
  { kind: "language", text: "How do you spell the plural of {t}?", fill: list("leaf|city|child|tooth|hero|analysis|wolf|potato|mouse|knife") },
  {
    kind: "language",
    text: "(Is it|Should I say) {t}?",
    fill: list('"fewer" or "less"|"who" or "whom"|"affect" or "effect"|"its" or "it\'s"|"lay" or "lie"|"then" or "than"'),
  },
  {
    kind: "maths",
    text: "(What is|What's|How much is|Calculate) {t}?",
    fill: list(
      "7 times 8|12 plus 19|100 minus 37|144 divided by 12|15 times 4|half of 90|9 squared|25 plus 75|81 divided by 9|6 times 13|a third of 60|48 minus 29|20 percent of 50|11 times 11",
    ),
  },
  {
    kind: "maths",
    text: "(If|Suppose) I have {t}, how many do I have (now|in the end)?",
    fill: list("five apples and eat two|ten coins and find three more|twelve eggs and break four|six pens and buy six more|nine cards and give away three"),
  },
  { kind: "creative", text: "Write (a|me a) (haiku|short poem|two-line poem|limerick) about {t}", fill: THEMES },
  { kind: "creative", text: "(Write|Tell me|Make up) a (short story|very short story|little story) about {t}", fill: THEMES },
  {
    kind: "creative",
    text: "(Suggest|Think of|Give me) (a name|three names) for {t}",
    fill: list("a black cat|a small bakery|a sailing boat|a rock band|a fantasy kingdom|a flower shop|a book about stars|a goldfish"),
  },
  { kind: "creative", text: "Describe {t} in one sentence", fill: THEMES },
  { kind: "creative", text: "(Tell me|Do you know) a joke( about {t}|)", fill: list("cats|teachers|computers|penguins|bread|doctors|dogs|math") },
  {
    kind: "creative",
    text: "(Give me|Write) a (slogan|motto) for {t}",
    fill: list("a bicycle shop|a school choir|a chess club|a tea brand|a running team|a small library"),
  },
  { kind: "advice", text: "How can I {t}?", fill: HABITS },
  { kind: "advice", text: "(Any|Do you have any) (tips|advice) (on how to|to help me) {t}?", fill: HABITS },
  { kind: "advice", text: "How do I (start learning|get better at|learn) {t}?", fill: SKILLS },
  { kind: "advice", text: "(Is it hard|How long does it take) to learn {t}?", fill: SKILLS },
  { kind: "advice", text: "What makes a good {t}?", fill: list("friend|teacher|leader|listener|story|habit|team|password|gift|speech") },
  {
    kind: "chat",
    text: "{t}",
    fill: list(
      "Hi!|Hello!|Hello there, how are you?|Hey, how's it going?|Good morning!|Good evening to you|Thanks a lot for your help|Thank you, that's all|Who are you?|What are you?|Are you a robot?|Do you have feelings?|What's your name?|Do you ever get tired?|Nice to meet you|I'm bored|I had a rough day|I'm so happy today!|You're great|That was very helpful|Goodbye!|See you later|Good night|How old are you?|Do you like music?|What's your favorite color?|Can you keep a secret?|I feel a bit lonely|My dog is very cute|I just finished a long book|Today is my birthday!|I passed my exam!|Do you dream?|Let's just chat for a bit|Are you there?|Never mind|Okay, got it|Cool, thanks|Wow, really?|I don't know what to say",
    ),
  },
  {
    kind: "chat",
    text: "(What do you think of|Do you like) {t}?",
    fill: list("poetry|long walks|chess|mountains|early mornings|spicy food|museums|cats|old movies|gardens|mathematics|board games"),
  },
  {
    kind: "chat",
    text: "I (really like|love|enjoy|don't like) {t}",
    fill: list("painting|long novels|puzzles|spring|jazz|mornings|gardening|science fiction|crowds|baking"),
  },
];
