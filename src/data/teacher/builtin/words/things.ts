/** Names of people, companies, products, topics and other things that arguments are about. */
const list = (text: string): readonly string[] => text.split("|");

export const FIRST_NAMES = list(
  "Anna|Omar|Mei|Lucas|Priya|John|Sofia|Kwame|Ingrid|Mateo|Aisha|Tom|Yuki|Elena|David|Fatima|Noah|Chloe|Rahul|Olga|Peter|Zara|Hugo|Nadia|Samuel|Linh|Greta|Pablo|Ruth|Kenji|Amara|Felix|Leila|Bruno|Hannah|Diego|Marta|Ivan|Naomi|Oscar|Tessa|Viktor|Maya|Jonas|Irene|Malik|Clara|Stefan|Rosa|Ben|Emre|Julia|Arjun|Laura|Theo|Sara|Nikos|Freya|Gabriel|Alice",
);
export const LAST_NAMES = list(
  "Miller|Okafor|Tanaka|García|Novak|Singh|Larsen|Rossi|Schmidt|Kowalski|Nguyen|Dubois|Haddad|Silva|O'Brien|Petrov|Kim|Johansson|Adeyemi|Moreau|Weber|Costa|Yilmaz|Lindqvist|Fischer|Chen|Walker|Mbeki|Horvath|Sato|Bauer|Patel|Jensen|Romero|Hughes|Ivanova|Keller|Diaz|Popescu|Brennan",
);
export const COMPANIES = list(
  "Northwind|Acme Corp|Contoso|Globex|Initech|Bluefin Labs|Evergreen Media|Apple|Microsoft|Tesla|Siemens|Nestlé|Samsung|Toyota|Volvo|Adidas|Spotify|Airbus|Lufthansa|Nokia",
);
export const PRODUCTS = list(
  "wireless headphones|standing desk|espresso machine|running shoes|mechanical keyboard|rain jacket|LED lamp|phone case|yoga mat|electric kettle|winter boots|backpack|graphic novel|coffee grinder|denim jacket|table tennis set|office chair|water bottle|board game|cotton T-shirt|USB-C charger|camping tent|sunglasses|cookbook|air fryer|bike helmet|wool scarf|desk fan|bluetooth speaker|toaster",
);
export const TOPICS = list(
  "renewable energy|electric cars|quantum computing|the housing market|climate policy|space exploration|machine learning|the Olympic Games|interest rates|remote work|vertical farming|cybersecurity|Formula 1|gene therapy|the film festival|battery recycling|public transport|coral reefs|tennis|artificial intelligence|solar panels|jazz history|urban planning|marathon training|coffee prices|women's football|digital privacy|earthquakes|self-driving trucks|chess openings|wildlife photography|tax reform|microplastics|offshore wind|opera|data centers",
);
/** People whom one asks about. */
export const KNOWN_PEOPLE = list(
  "Marie Curie|Nelson Mandela|Frida Kahlo|Ada Lovelace|Leonardo da Vinci|Serena Williams|Mahatma Gandhi|Cleopatra|Wangari Maathai|Akira Kurosawa|Miles Davis|Simone Biles|Alan Turing|Pele|Amelia Earhart|Confucius|Nikola Tesla|Rosa Parks|Bruce Lee|Maria Callas",
);
/** Things of which one asks what they are. */
export const KNOWN_THINGS = list(
  "photosynthesis|the French Revolution|the Silk Road|umami|the offside rule|blockchain|Mount Fuji|the Black Death|inflation|the Taj Mahal|a black hole|the Battle of Hastings|gluten|the Cold War|origami|plate tectonics|the Rosetta Stone|jet lag|the Nobel Prize|kimchi|the Magna Carta|dark matter|the Thirty Years' War|stoicism",
);
export const FOODS = list(
  "lentil soup|chicken curry|mushroom risotto|chocolate cake|pad thai|tomato salad|apple pie|tofu|salmon|chickpeas|banana bread|spinach|shrimp|pumpkin|lasagna|falafel|sweet potato|beef stew|pancakes|eggplant|avocado|garlic bread|rice noodles|zucchini",
);
export const LANGUAGES = list("English|Spanish|French|German|Italian|Portuguese|Japanese|Korean|Arabic|Hindi|Dutch|Polish|Swedish|Turkish|Greek|Finnish");
export const CURRENCIES = list("USD|EUR|GBP|JPY|CHF|CAD|AUD|SEK|INR|BRL|MXN|NOK");
export const COLORS = list("red|blue|green|black|white|yellow|gray|purple|orange|navy blue|pink|brown|beige|turquoise");
export const SIZES = list("S|M|L|XL|XXL|small|medium|large");
export const SONGS = list(
  "Bohemian Rhapsody|Blue in Green|Hey Jude|Clair de Lune|Rolling in the Deep|Take Five|Hallelujah|Billie Jean|Imagine|Dancing Queen|Wonderwall|Purple Rain",
);
export const ARTISTS = list("Miles Davis|Adele|Radiohead|Nina Simone|The Beatles|Björk|Fela Kuti|Taylor Swift|Daft Punk|Mozart|Rosalía|David Bowie");
export const MOVIES = list("Spirited Away|Casablanca|The Godfather|Parasite|Inception|Amélie|Blade Runner|Moonlight|Toy Story|The Matrix|Arrival|Rear Window");
export const GENRES = list("jazz|comedy|drama|rock|thriller|fantasy|documentary|pop|horror|classical|romance|sci-fi|hip hop|mystery");
export const HOTELS = list(
  "Hotel Aurora|The Grand Meridian|Seaside Inn|Maple Lodge|Hotel Bellevue|Riverside Suites|The Old Mill|Casa Verde|Park Plaza|Lakeview Resort|Hotel Lindqvist|Palm Court|The Harbour House|City Garden Hotel|Alpine Rest|Villa Serena",
);
export const RESTAURANTS = list(
  "Trattoria Lucia|Golden Lotus|The Blue Door|Sakura House|Chez Margot|El Farolito|Spice Route|The Corner Bistro|Osteria Nonna|Green Fork|Harbor Grill|Little Anatolia",
);
export const CUISINES = list("Italian|Thai|Mexican|Indian|Japanese|Greek|Ethiopian|French|Vietnamese|Lebanese|Korean|Turkish");
export const DEPARTMENTS = list("sales|finance|engineering|marketing|support|legal|human resources|operations|design|research");
export const TAGS = list("urgent|travel|budget|draft|home|archive|work|ideas|invoices|family|health|todo|release|customer");
export const AIRLINES = list("Lufthansa|Delta|Air France|KLM|Emirates|Qantas|Ryanair|United|Iberia|SAS");
export const SYMBOLS = list("AAPL|MSFT|TSLA|NVDA|AMZN|GOOG|SAP|NFLX|IBM|ORCL|TM|BP");
export const DISTRICTS = list(
  "Kreuzberg|Shibuya|Belleville|Brera|Alfama|Södermalm|Palermo Soho|Bandra|Camden|Capitol Hill|Le Marais|Gràcia|Sathorn|Bang Rak|Watthana|Jordaan|Vesterbro|Trastevere|Chatuchak|Roma Norte",
);
export const TIMEZONES = list("Europe/Paris|America/New_York|Asia/Tokyo|Europe/London|Australia/Sydney|America/Sao_Paulo|Africa/Nairobi|Asia/Kolkata");
export const SUBJECTS = list(
  "Quarterly review|Lunch on Friday|Travel plans|Invoice question|Project kickoff|Team photo|Budget update|Welcome aboard|Contract renewal|Weekend hike|Server maintenance|Book club|Parking permits|Design feedback|Interview schedule|Holiday calendar",
);
export const MESSAGES = list(
  "The meeting is moved to Monday|I'll be ten minutes late|Please review the attached draft|Happy birthday|The package has arrived|Can we talk tomorrow morning|Don't forget the keys|The build is green again|Dinner is at our place|Thanks for your help today|The invoice has been paid|See you at the station|Please bring your laptop|The contract is signed|We need two more chairs|Call me when you land|The demo went really well|All tests pass now|Let's start without them|I have booked the room",
);
export const NOTES = list(
  "Buy milk and eggs|Call the plumber|Water the plants|Renew the passport|Draft the budget|Pick up the dry cleaning|Book the dentist|Clean the garage|Order printer paper|Prepare the slides|Back up the photos|Fix the back door|Return the library books|Feed the cat|Pay the rent|Plan the workshop",
);
export const PROJECT_NAMES = list("apollo|harbor|website-redesign|phoenix|data-lake|mobile-app|atlas|billing-v2|orchid|night-owl|greenhouse|inventory-sync");
export const NICKNAMES = list("prod-db|staging|analytics|backup-node|edge-1|reporting|alpha|warehouse|sandbox|blue-cluster|archive01|metrics");
export const WORDS = list(
  "lantern|velvet|orbit|copper|meadow|ripple|thistle|granite|saffron|willow|beacon|ember|harvest|quartz|juniper|falcon|marble|cedar|tundra|opal|raven|cobalt|drift|lattice",
);
export const FILE_STEMS = list(
  "report|notes|budget|invoice|draft|summary|todo|readme|config|agenda|minutes|proposal|changelog|recipes|contacts|schedule|settings|index|main|utils|sales|backup|inventory|travel-plan|thesis|letter",
);
export const FOLDERS = list(
  "docs|projects|reports|photos|src|data|archive|notes|music|downloads|2023|2024|invoices|work|personal|drafts|backup|assets|tests|logs",
);
export const EXTENSIONS = list("txt|md|csv|json|log|pdf|py|html|yaml");
export const GREP_WORDS = list("TODO|budget|error|import|invoice|deadline|password reset|version|customer|license|timeout|summary");
export const SYLLABLES = list("ka|lo|mir|ven|tor|bel|zu|ran|dis|quo|fen|har|li|mo|sta|gri|pel|wy|dor|ash|bri|cam|ost|ul|vek|na|thor|el|sun|rix");
